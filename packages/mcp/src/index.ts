export { AbortScope } from "./abort-scope.ts";
export { questionRefusal } from "./ingress/legacy/question-refusal.ts";
export { createMcpEndpoint, type McpEndpoint } from "./ingress/endpoint.ts";
export type { HttpRequest, RequestHeaders } from "./ingress/http-request.ts";
export type { HttpResponse } from "./ingress/http-response.ts";
export {
  DEFAULT_INGRESS_LIMITS,
  type Caller,
  type IngressLimits,
  type McpPorts,
  type ListPage,
  type ListenStream,
  type ToolDefinition,
  type TaskSupport,
} from "./ingress/ports.ts";
export { messageHeaders } from "./modern/message-headers.ts";
export { plainRequest, type AgentRequest, type SentRequest } from "./protocol/agent-request.ts";
export {
  declaresTasks,
  readClientCapabilities,
  withoutTasks,
  type ClientCapabilities,
} from "./protocol/client-capabilities.ts";
export { committedMessage, committedRequest } from "./protocol/committed.ts";
export type { Era } from "./protocol/era.ts";
export type { ListenFilter } from "./protocol/local-params.ts";
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
export type { Completion, InputResponses, Reference } from "./protocol/request.ts";
export { isFinal, readTask, type TaskState } from "./tasks/state.ts";
export { relatedTo } from "./tasks/related.ts";
export type { LogLevel } from "./log-level.ts";
export { echoableId, readMessage, type RequestId, type RpcMessage } from "./jsonrpc/message.ts";
export {
  silentPeer,
  type EgressDecision,
  type EgressTarget,
  type Peer,
  type PeerEgress,
  type UpstreamAnswer,
} from "./peer.ts";
export { httpSse } from "./upstream/channel/http-sse.ts";
export { ChannelClient } from "./upstream/channel/client.ts";
export { OneWayPosts, type OneWayPostOptions } from "./upstream/one-way-posts.ts";
export { ListenerRegistry } from "./upstream/channel/listener-registry.ts";
export { LongLivedConnections } from "./upstream/channel/long-lived-connections.ts";
export type { MessageChannel, OpenChannel } from "./upstream/channel/channel.ts";
export { SUBSCRIPTION_ACKNOWLEDGED } from "./upstream/listening.ts";
export { UpstreamClient, type UpstreamTool } from "./upstream/client.ts";
export type { Upstream, UpstreamLoad, UpstreamRequest } from "./upstream/upstream.ts";
export { legacyServerPeer } from "./upstream/legacy/legacy-server-peer.ts";
export { CLIENT_METHODS, askableParams } from "./upstream/client-methods.ts";
export { ELICITATION_COMPLETE } from "./upstream/elicitation.ts";
export type { NotificationHandler } from "./upstream/listening.ts";
export { readMessages } from "./upstream/message-batch.ts";
export {
  fingerprintOf,
  IDENTITY_FAULTS,
  type IdentityFault,
  type ServerAuthentication,
} from "./upstream/authentication.ts";
export type { ChainTrust } from "./upstream/chain.ts";
export { BUNDLED_ROOTS, readDomainRoots, readTrustedRoots, type TrustedRoots } from "./upstream/trusted-roots.ts";
export { fetchDocument } from "./upstream/document.ts";
export type { RequestAuthorization } from "./upstream/authorization.ts";
export { OriginFetch } from "./upstream/origin-fetch.ts";
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
