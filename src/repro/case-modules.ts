import { register } from 'node:module';

let isRegistered = false;

/**
 * From now on modules may be TypeScript, and may import `nettrace/repro` wherever they lie: a user's own case is a single file,
 * with no package around it.
 */
export function acceptTypeScript(): void {
  if (isRegistered) return;
  isRegistered = true;
  register(new URL('./case-module-hooks.js', import.meta.url));
}
