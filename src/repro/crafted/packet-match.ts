import { parseTcpFlags } from '../../decode/names.js';
import { findLayer, type Layer, type LayerKind, type LayerOf } from '../packet/index.js';

/** Fields that a layer must have; all that are given. TCP flags in any order. */
export type PacketShape = { [K in LayerKind]?: Partial<Omit<LayerOf<K>, 'kind'>> };

/** Which packets are meant: those with such layers, the first of each kind counting, or those that a function accepts. */
export type PacketMatch = PacketShape | ((packet: { layers: readonly Layer[] }) => boolean);

export function isMatch(packet: { layers: readonly Layer[] }, match: PacketMatch): boolean {
  if (typeof match === 'function') return match(packet);
  return Object.entries(match).every(([kind, fields]) => {
    const layer = findLayer(packet.layers, kind as LayerKind);
    return layer !== undefined && Object.entries(fields ?? {}).every(([name, value]) => hasField(layer, name, value));
  });
}

function hasField(layer: Layer, name: string, value: unknown): boolean {
  const found = (layer as unknown as Record<string, unknown>)[name];
  if (layer.kind === 'tcp' && name === 'flags') return parseTcpFlags(String(value)) === parseTcpFlags(layer.flags);
  return value === undefined || canonical(found) === canonical(value);
}

/** One text for equal values: bytes by what they are, whatever class has them, and properties in any order. */
function canonical(value: unknown): string {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const parts = Object.entries(value).map(([name, part]) => `${name}:${canonical(part)}`);
  return `{${parts.sort().join()}}`;
}

/** For messages. */
export function matchText(match: PacketMatch): string {
  if (typeof match === 'function') return 'as the function wants it';
  const layers = Object.entries(match).map(([kind, fields]) => {
    const parts = Object.entries(fields ?? {}).map(([name, value]) => ` ${name}:${canonical(value)}`);
    return `${kind}${parts.join('')}`;
  });
  return layers.length > 0 ? `with ${layers.join(', ')}` : 'of any kind';
}
