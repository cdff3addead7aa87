import { copy } from './fields.js';

/** Bytes that are no header. */
export interface Payload {
  kind: 'payload';
  data: Uint8Array;
}

/** `data` as bytes, or as text that becomes UTF-8. */
export function payload(data: Uint8Array | string): Payload {
  return { kind: 'payload', data: typeof data === 'string' ? new TextEncoder().encode(data) : copy(data) };
}
