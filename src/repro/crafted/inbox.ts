import { NettraceError } from '../../errors.js';
import { summarize } from '../packet/index.js';
import type { CraftedPacket } from './crafted-host.js';
import { isMatch, matchText, type PacketMatch } from './packet-match.js';

/** Packets that nobody has taken; older ones give way. */
const KEPT = 10_000;
/** Packets that a message names. */
const NAMED = 10;

/** What has come to a crafted host, until somebody takes it. */
export class Inbox {
  readonly #packets: CraftedPacket[] = [];
  readonly #watchers = new Set<() => void>();
  #end: Error | undefined;

  add(packet: CraftedPacket): void {
    this.#packets.push(packet);
    if (this.#packets.length > KEPT) this.#packets.shift();
    this.#tell();
  }

  clear(): void {
    this.#packets.length = 0;
  }

  /** All who wait are told, and all who come later. */
  close(reason: Error): void {
    this.#end ??= reason;
    this.#tell();
  }

  #tell(): void {
    for (const watcher of [...this.#watchers]) watcher();
  }

  /** Takes the first packet that fits, or waits for it. */
  async take(match: PacketMatch, timeoutMs: number): Promise<CraftedPacket> {
    const seen = new Set(this.#packets);
    let found = this.#claim(match);
    await this.change(() => {
      for (const packet of this.#packets) seen.add(packet);
      found ??= this.#claim(match);
      return found !== undefined;
    }, timeoutMs);
    if (found) return found;
    throw new NettraceError(`no packet ${matchText(match)}: not within ${timeoutMs} ms; ${instead([...seen])}`);
  }

  /** Throws where a packet that fits is there, or comes within the time. */
  async none(match: PacketMatch, forMs: number): Promise<void> {
    const find = () => this.#packets.find((packet) => isMatch(packet, match));
    await this.change(() => find() !== undefined, forMs);
    const found = find();
    if (found)
      throw new NettraceError(`no packet ${matchText(match)} was to come, and this has: ${summarize(found.layers)}`);
  }

  #claim(match: PacketMatch): CraftedPacket | undefined {
    const at = this.#packets.findIndex((packet) => isMatch(packet, match));
    return at < 0 ? undefined : this.#packets.splice(at, 1)[0];
  }

  /** Waits until the test, asked whenever a packet has come, is true, or the time is over. Throws when the inbox is closed. */
  change(test: () => boolean, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (error?: Error) => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        if (error) reject(error);
        else resolve();
      };
      const look = () => {
        try {
          if (test()) finish();
          else if (this.#end) finish(this.#end);
        } catch (error) {
          finish(error as Error); // a match function's own
        }
      };
      const timer = setTimeout(() => finish(), timeoutMs);
      this.#watchers.add(look);
      look();
    });
  }
}

function instead(packets: readonly CraftedPacket[]): string {
  if (packets.length === 0) return 'nothing came at all';
  const last = packets.slice(-NAMED).map(({ layers }) => summarize(layers));
  const more = packets.length - last.length;
  return `what came instead: ${last.join('; ')}${more > 0 ? `; and ${more} before` : ''}`;
}
