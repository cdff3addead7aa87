import { readFileSync, writeFileSync } from 'node:fs';
import { NettraceError, UsageError } from '../errors.js';
import { MACHINE_SYSCTL } from './names.js';
import type { MachineSetting, RegistryFile } from './registry.js';

function fileOf(name: string): string {
  return `/proc/sys/${name.replaceAll('.', '/')}`;
}

function valueNow(name: string): string {
  return readFileSync(fileOf(name), 'utf8').trim();
}

/** Puts a setting back, unless someone else has changed it meanwhile, or its module is gone. */
export function restoreSetting({ name, former, value }: MachineSetting): void {
  try {
    if (valueNow(name) === value) writeFileSync(fileOf(name), former);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

/** Settings of the whole machine that a case has changed; written down before, so that they are put back whatever happens. */
export class MachineSettings {
  readonly #registry: RegistryFile;
  readonly #changed: MachineSetting[] = [];
  readonly #onExit = () => this.restore();

  constructor(registry: RegistryFile) {
    this.#registry = registry;
  }

  /** Throws UsageError for what is no sysctl of the network, NettraceError where the kernel refuses. */
  set(name: string, value: number): void {
    if (!MACHINE_SYSCTL.test(name)) throw new UsageError(`'${name}' is no sysctl of the network`);
    try {
      const setting = { name, former: valueNow(name), value: String(value) };
      this.#registry.addSetting(setting);
      if (this.#changed.length === 0) process.on('exit', this.#onExit);
      this.#changed.push(setting);
      writeFileSync(fileOf(name), setting.value);
    } catch (cause) {
      throw new NettraceError(`cannot set ${name}=${value} of the machine: ${(cause as Error).message}`, { cause });
    }
  }

  restore(): void {
    for (const setting of this.#changed.splice(0).reverse()) restoreSetting(setting);
    process.off('exit', this.#onExit);
  }
}
