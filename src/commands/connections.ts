import { type ConnectionsOptions, connections } from '../connections/list.js';
import { plainAddress } from '../decode/addresses.js';
import { parseFilter } from '../options.js';
import { type Subject, subjectTest } from '../read/match-filter.js';
import { connectionsText } from '../sinks/connections-text.js';
import { jsonLine } from '../sinks/json.js';
import type { InetSocket } from '../types.js';
import type { AddressOptions } from './common-options.js';

/** Options of `nettrace connections` as commander gives them. */
export interface ConnectionsCommandOptions extends AddressOptions {
  proto?: NonNullable<ConnectionsOptions['proto']>;
  netns?: string;
  pid?: number;
  comm?: string;
  state?: string[];
  listen?: boolean;
  json?: boolean;
}

/** What filters ask of a socket: its own address is the source. */
function subjectOf({ proto, tuple, netns, owner }: InetSocket): Subject {
  return {
    proto: proto === 'raw' ? 'ip' : proto,
    tuple: { ...tuple, saddr: plainAddress(tuple.saddr), daddr: plainAddress(tuple.daddr) },
    netns,
    owners: owner ? [owner] : [],
  };
}

/** `nettrace connections`: the sockets that there are now. */
export async function connectionsCommand(options: ConnectionsCommandOptions): Promise<void> {
  const { proto, netns, state, listen = false, json, ...filter } = options;
  const matches = subjectTest({ ...parseFilter(filter), netns: undefined });
  const found = await connections({
    ...(proto === undefined ? {} : { proto }),
    ...(netns === undefined ? {} : { netns }),
    ...(state === undefined ? {} : { states: state }),
    listen,
  });
  const sockets = found.filter((socket) => matches(subjectOf(socket)));
  if (json) for (const socket of sockets) process.stdout.write(jsonLine(socket));
  else
    process.stdout.write(
      connectionsText(sockets, { listen, columns: process.stdout.isTTY ? process.stdout.columns || 80 : undefined }),
    );
}
