import { spawn } from 'node:child_process';
import type { Link } from '#bpf-loader';

/** Attachments that take the kernel long to take down. */
const slow = new Set<Link>();
/** A process that ends within this time hands them over: see below. */
const FIRST_MS = 500;
/** Longer than a process needs to end. */
const HOLD_SECONDS = 3;

/** Should the process end before `takeDown()` has come to this one, then it is handed over. */
export function watchLink(link: Link): void {
  slow.add(link);
}

/** A timer that does not keep the process. */
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms).unref());

/** Detaches one after the other, which takes the kernel a while; the process may end meanwhile. */
export async function takeDown(links: readonly Link[]): Promise<void> {
  await pause(FIRST_MS);
  for (const link of links) {
    slow.delete(link);
    await link.detachLater();
    await pause(0);
  }
}

/**
 * To be called where this process exits. The last process that has an attachment open waits until the kernel has taken
 * it down, for many of them seconds: so that this be another one than that whose end a user waits for.
 */
export function handOver(): void {
  const fds = [...slow].map((link) => link.fd).filter((fd) => fd >= 0);
  if (fds.length === 0) return;
  try {
    spawn('sleep', [String(HOLD_SECONDS)], { stdio: ['ignore', 'ignore', 'ignore', ...fds], detached: true, cwd: '/' })
      .on('error', () => {})
      .unref();
  } catch {
    // then this process waits
  }
}
