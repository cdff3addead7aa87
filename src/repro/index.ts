/** What cases are written with, and what plays them. */

export type { ByKernel, KernelVersion, MaybeByKernel } from './by-kernel.js';
export { byKernel } from './by-kernel.js';
export { type AnyCase, type CaseDefinition, defineCase, type ExpectContext, type PlayContext } from './case.js';
export type { Check, Finding, Observation } from './check.js';
export type { ConnectionExpectation, ConnectionQuery } from './connection-expectation.js';
export * from './crafted/index.js';
export type { CounterExpectation, Expect, SocketExpectation, SocketQuery, ValueExpectation } from './expect.js';
export type { EventPart, ExpectOptions, TraceExpectation } from './expectations.js';
export type { ConnectOptions, Host, HostOptions } from './host.js';
export type { Link, LinkEnd, LinkOptions } from './link.js';
export { builtinCases, resolveCases } from './load-cases.js';
export type { Bridge, Network } from './network.js';
export * from './packet/index.js';
export type { ParameterDefinition, ParameterDefinitions, ParameterValues } from './parameters.js';
export { type CaseResult, type PlayOptions, toRecord } from './play.js';
export type { HostProcess } from './processes.js';
export type { ModuleName, Requirements } from './requirements.js';
export type * from './result.js';
export type { SendingAgain } from './sendings.js';
export { playCases, runCase, type SessionOptions, sweepLeftovers } from './session.js';
export type { Endpoint } from './socket-address.js';
export type { SocketOptions } from './socket-options.js';
export { type Connection, failureOf, type Listener, SocketError, type UdpSocket, type WaitOptions } from './sockets.js';
export type { ToolResult } from './tools.js';
export type { TraceQuery } from './trace-query.js';
