import { FileWriter, openOutputFile } from '../sinks/output-file.js';
import type { LinkEnd } from './link.js';
import type { Network } from './network.js';
import { type PcapRecord, pcapHead, pcapRecord } from './packet/index.js';
import { PacketSocket } from './packet-socket.js';

const OPTIONS = { nanoseconds: true };

/** Packets that one end of a link sends: those of both ends are what is on the wire, each once. */
class EndCapture {
  readonly records: PcapRecord[] = [];
  readonly #socket: PacketSocket;
  readonly #reading: Promise<void>;

  constructor({ host, ifname }: LinkEnd) {
    this.#socket = new PacketSocket(ifname, { netns: host.path });
    this.#reading = this.#read();
  }

  async #read(): Promise<void> {
    while (await this.#socket.wait()) this.#drain();
  }

  #drain(): void {
    for (let packet = this.#socket.receive(); packet; packet = this.#socket.receive())
      if (packet.outgoing) this.records.push(packet);
  }

  /** Packets that found no room in the queue. */
  async end(): Promise<number> {
    this.#drain();
    const lost = this.#socket.lost();
    this.#socket.close();
    await this.#reading;
    return lost;
  }
}

/** Writes what is on the links of cases to one file for tcpdump, wireshark and the like. */
export class CaptureFile {
  /** Packets that were not captured: there was no room. */
  lost = 0;
  readonly #writer: FileWriter;

  /** Throws as `openOutputFile`. */
  constructor(path: string) {
    this.#writer = new FileWriter(openOutputFile(path), `'${path}'`);
    this.#writer.write(pcapHead(OPTIONS));
  }

  /** Begins with a case; what is returned ends it, and writes. */
  begin(network: Network): () => Promise<void> {
    const ends = network.links.flatMap(({ left, right }) => [new EndCapture(left), new EndCapture(right)]);
    return async () => {
      for (const end of ends) this.lost += await end.end();
      const records = ends.flatMap((end) => end.records).sort((a, b) => Number(a.time - b.time));
      for (const record of records) this.#writer.write(pcapRecord(record, OPTIONS));
    };
  }

  close(): void {
    this.#writer.close();
  }
}
