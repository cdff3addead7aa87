import type { TcpOptions } from '../types.js';

/** Option kinds (IANA, TCP parameters). */
const END = 0;
const NOP = 1;
const MSS = 2;
const WINDOW_SCALE = 3;
const SACK_PERMITTED = 4;
const SACK = 5;
const TIMESTAMPS = 8;

/**
 * Decodes the option bytes of a TCP header. An option that does not fit its length or the header is said (`malformed`);
 * what else could be decoded stays.
 */
export function decodeTcpOptions(bytes: Uint8Array): TcpOptions {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const options: TcpOptions = {};
  let at = 0;
  while (at < bytes.length) {
    const kind = view.getUint8(at);
    if (kind === END) break;
    if (kind === NOP) {
      at++;
      continue;
    }
    const length = at + 1 < bytes.length ? view.getUint8(at + 1) : 0;
    if (length < 2 || at + length > bytes.length) {
      options.malformed = true;
      break;
    }
    decodeOption(options, kind, length, view, at);
    at += length;
  }
  return options;
}

function decodeOption(options: TcpOptions, kind: number, length: number, view: DataView, at: number): void {
  if (kind === MSS && length === 4) {
    options.mss = view.getUint16(at + 2);
  } else if (kind === WINDOW_SCALE && length === 3) {
    options.windowScale = view.getUint8(at + 2);
  } else if (kind === SACK_PERMITTED && length === 2) {
    options.sackPermitted = true;
  } else if (kind === SACK && length > 2 && (length - 2) % 8 === 0) {
    options.sack = [];
    for (let block = at + 2; block < at + length; block += 8) {
      options.sack.push({ left: view.getUint32(block), right: view.getUint32(block + 4) });
    }
  } else if (kind === TIMESTAMPS && length === 10) {
    options.tsval = view.getUint32(at + 2);
    options.tsecr = view.getUint32(at + 6);
  } else if ([MSS, WINDOW_SCALE, SACK_PERMITTED, SACK, TIMESTAMPS].includes(kind)) {
    options.malformed = true;
  } else {
    options.other ??= [];
    options.other.push(kind);
  }
}
