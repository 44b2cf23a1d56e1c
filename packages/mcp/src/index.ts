export { AbortScope } from "./abort-scope.ts";
export { declined } from "./ingress/legacy/declined.ts";
export { createMcpEndpoint, type McpEndpoint } from "./ingress/endpoint.ts";
export type { HttpRequest, RequestHeaders } from "./ingress/http-request.ts";
export type { HttpResponse } from "./ingress/http-response.ts";
export {
  DEFAULT_INGRESS_LIMITS,
  type Caller,
  type IngressLimits,
  type McpPorts,
  type ListPage,
  type StandingStream,
  type ToolDefinition,
  type TaskSupport,
} from "./ingress/ports.ts";
export type { AgentRequest, SentRequest } from "./protocol/agent-request.ts";
export {
  declaresTasks,
  readClientCapabilities,
  withoutTasks,
  type ClientCapabilities,
} from "./protocol/client-capabilities.ts";
export type { Era } from "./protocol/era.ts";
export type { ListenFilter } from "./protocol/local.ts";
export {
  METHODS,
  governedMethod,
  isGoverned,
  isTaskMethod,
  methodOf,
  type Governed,
  type GovernedAction,
  type GovernedMethod,
  type ListKind,
  type Method,
  type RequestTarget,
  type ResultKind,
  type TaskMethod,
} from "./protocol/methods.ts";
export {
  refused,
  withGatewayMembers,
  type Outcome,
  type RpcBody,
  type RpcError,
  type ServerRpcError,
  type TaskEnding,
} from "./protocol/outcome.ts";
export type { Completion, InputGiven, Reference } from "./protocol/request.ts";
export { isFinal, readTask, type TaskState } from "./tasks/state.ts";
export { relatedTo } from "./tasks/related.ts";
export type { LogLevel } from "./log-level.ts";
export { echoableId, readMessage, type RequestId, type RpcMessage } from "./jsonrpc/message.ts";
export { silentPeer, type Peer, type UpstreamAnswer } from "./peer.ts";
export { httpSse } from "./upstream/channel/http-sse.ts";
export { ChannelClient } from "./upstream/channel/client.ts";
export { Following } from "./upstream/channel/following.ts";
export { StandingConnections } from "./upstream/channel/standing.ts";
export type { MessageChannel, OpenChannel } from "./upstream/channel/channel.ts";
export { SUBSCRIPTION_ACKNOWLEDGED } from "./upstream/listening.ts";
export { UpstreamClient, type UpstreamTool } from "./upstream/client.ts";
export type { Upstream, UpstreamLoad, UpstreamRequest } from "./upstream/upstream.ts";
export { legacyPeer } from "./upstream/legacy/peer.ts";
export { CLIENT_METHODS, askable } from "./upstream/client-methods.ts";
export { ELICITATION_COMPLETE } from "./upstream/elicitation.ts";
export type { Notified } from "./upstream/listening.ts";
export { readPiece } from "./upstream/piece.ts";
export { UpstreamRefusal } from "./upstream/refusal.ts";
export {
  DEFAULT_UPSTREAM_LIMITS,
  type Dial,
  type UpstreamLimits,
  type UpstreamOptions,
  type UpstreamTls,
} from "./upstream/options.ts";
export {
  LEGACY_VERSIONS,
  MODERN_VERSION,
  NEWEST_LEGACY_VERSION,
  SUPPORTED_VERSIONS,
  type LegacyVersion,
} from "./versions.ts";
