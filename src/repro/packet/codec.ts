import type { Endpoints } from './checksum.js';
import type { AnyLayer, Layer, LayerKind } from './layers.js';

/** Something in a packet that is not as it should be. */
export interface Problem {
  /** Index in `layers` of what has it; of a payload: of what should have been there. */
  at: number;
  /** What was read, for example `tcp`. */
  layer: LayerKind;
  name: ProblemName;
  text: string;
}

/**
 * - `truncated`: the packet's end is missing, its beginning is in the layers
 * - `malformed`: the bytes make no such header, and stay payload
 * - `bad-option`: options that end in the middle; what is left of them is a raw option
 * - `bad-checksum`
 * - `unfinished-checksum`: the sender's kernel left it to a device (a veth pair never computes it)
 */
export type ProblemName = 'truncated' | 'malformed' | 'bad-option' | 'bad-checksum' | 'unfinished-checksum';

/** What encloses a layer that is built. */
export interface EncodeContext {
  /** All that comes behind the header, built. */
  content: Uint8Array;
  /** The layers behind this one. */
  following: readonly AnyLayer[];
  /** Of the IP header around, for pseudo headers. */
  ends: Endpoints | undefined;
}

/** What encloses a layer that is parsed. */
export interface DecodeContext {
  ends: Endpoints | undefined;
  /** The end is missing, or in another fragment: no length and no checksum can be held against the bytes. */
  partial: boolean;
  /** The kernel said that the transport checksum is not computed yet. */
  checksumPending: boolean;
  /** UDP destination ports of VXLAN. */
  vxlanPorts: readonly number[];
}

export interface Decoded {
  layer: Layer;
  /** What is behind the header and within the layer's length. */
  content: Uint8Array;
  /** What that is; `payload` where nothing more is known, or may be read, of it. */
  next: LayerKind;
  problems?: Pick<Problem, 'name' | 'text'>[];
  /** For what is inside, where this layer changes it. */
  inner?: Partial<DecodeContext>;
}

/** The bytes are no such header. */
export class Malformed {
  constructor(readonly text: string) {}
}
