export { errorDetailsSchema, wireErrorSchema } from './error-schemas.ts'
export { agentSpecSchema } from './agents.ts'
export type { AgentSpec } from './agents.ts'
export { AUDIT_KINDS, auditLineSchema, silentAudit } from './audit.ts'
export type { Audit, AuditEntry, AuditLine } from './audit.ts'
export { boardContract, noteWriterSchema } from './board.ts'
export type { Board, BoardEvent, BoardQuery, Note, NoteWriter } from './board.ts'
export { createBell } from './bell.ts'
export type { Bell } from './bell.ts'
export { ACCESS, PLAIN_ACCESS, accessOf, mayCall } from './access.ts'
export type { CallerStanding, MethodAccess, SessionNeed } from './access.ts'
export { silentLogger, systemClock } from './components.ts'
export type { Clock, Logger } from './components.ts'
export { defineContract, protocolIdOf, stream, unary } from './contract.ts'
export type {
  CallContext,
  CallOptions,
  Contract,
  ContractClient,
  ContractHandlers,
  Method,
  MethodTable,
  StreamMethod,
  UnaryMethod,
} from './contract.ts'
export { diagnosisContract } from './diagnosis.ts'
export type { DialOutcome, DialReport, Diagnosis, DiagnosisOptions, PeerDiagnosis, SelfDiagnosis } from './diagnosis.ts'
export { AppError, ERROR_CODES, exitCodeOf, fromWireError, isAppError, toAppError, toWireError } from './errors.ts'
export type { AppErrorOptions, ErrorCode, ErrorDetails, WireError } from './errors.ts'
export {
  authorSchema,
  contentPartSchema,
  durableEventSchema,
  isDurable,
  liveEventSchema,
  permissionAnswerSchema,
  promptContentSchema,
  questionReplySchema,
  sessionEventSchema,
  usageSchema,
} from './events.ts'
export type {
  Author,
  ContentPart,
  DurableEvent,
  DurableEventInit,
  LiveEvent,
  LiveEventInit,
  PermissionAnswer,
  PromptContent,
  QuestionChoice,
  QuestionReply,
  SessionEvent,
  StopReason,
  Usage,
} from './events.ts'
export { messageIdSchema, newId, newMessageId, newPromptId, newSessionId, peerIdSchema, promptIdSchema, sessionIdSchema } from './ids.ts'
export type { Brand, MessageId, PeerId, PromptId, SessionId } from './ids.ts'
export { exceedsDepth, jsonSchema } from './json.ts'
export type { Json } from './json.ts'
export { LIMITS } from './limits.ts'
export { modelIdSchema, parseModelRef } from './model-ref.ts'
export type { ModelRef } from './model-ref.ts'
export { modelOfferSchema, modelPartSchema, modelRequestSchema, modelsContract } from './models.ts'
export type { ModelCallOptions, ModelOffer, ModelPart, ModelRequest, Models, ResumePoint } from './models.ts'
export { boardHandlers, boardOverRpc } from './over-rpc/board-over-rpc.ts'
export { endCleanly } from './over-rpc/clean-end.ts'
export { clientForPeer, handlersForPeer, peerModelsContract, peerSessionsContract } from './over-rpc/for-peer.ts'
export { modelsHandlers, modelsOverRpc } from './over-rpc/models-over-rpc.ts'
export { peersHandlers, peersOverRpc } from './over-rpc/peers-over-rpc.ts'
export type { PeerPorts } from './over-rpc/peers-over-rpc.ts'
export { diagnosisHandlers, diagnosisOverRpc } from './over-rpc/diagnosis-over-rpc.ts'
export { resumed, retried } from './over-rpc/resumed.ts'
export type { LinkChange, OpenAgain, ResumedOptions } from './over-rpc/resumed.ts'
export { createFollowedSessions, resumingSessions } from './over-rpc/resuming-sessions.ts'
export type { FollowedSessions, ResumingSessionsOptions } from './over-rpc/resuming-sessions.ts'
export { routesHandlers, routesOverRpc } from './over-rpc/routes-over-rpc.ts'
export { sessionRowsHandlers, sessionRowsOverRpc } from './over-rpc/session-rows-over-rpc.ts'
export { sessionsHandlers, sessionsOverRpc } from './over-rpc/sessions-over-rpc.ts'
export { trustHandlers, trustOverRpc } from './over-rpc/trust-over-rpc.ts'
export {
  INVITE_LIMITS,
  ROLES,
  inviteInitSchema,
  knownPeerSchema,
  loadSchema,
  meshEventSchema,
  meshStatusSchema,
  natKindSchema,
  peerInfoSchema,
  peersContract,
  lesserRole,
  roleIncludes,
  roleSchema,
  trustContract,
  trustStateSchema,
} from './peers.ts'
export type { InviteInfo, InviteInit, JoinOptions, Joined, NewInvite } from './peers.ts'
export type {
  InviteTerms,
  KnownPeer,
  Load,
  MeshEvent,
  MeshStatus,
  NatKind,
  PeerInfo,
  Peers,
  ResolvedPeer,
  Role,
  Trust,
  TrustState,
} from './peers.ts'
export { RIGHTS, expandRights, rightSchema } from './rights.ts'
export type { Right } from './rights.ts'
export { INVITE_PREFIX, inviteIn, isWholeInvite } from './invite-text.ts'
export { didYouMean, nearest } from './nearest.ts'
export { nodeNameSchema } from './node-name.ts'
export { routeTargetSchema, routesContract, routingPolicySchema } from './routing.ts'
export type { RouteTarget, Routes, RoutingPolicy, RoutingSnapshot } from './routing.ts'
export { meshSessionRowSchema, rowKeyOf, sessionRowSchema, sessionRowsContract } from './session-rows.ts'
export type { MeshSessionRow, SessionRow, SessionRowEvent, SessionRows } from './session-rows.ts'
export {
  promptReceiptSchema,
  sessionChangeSchema,
  sessionInfoSchema,
  sessionInitSchema,
  sessionQuerySchema,
  sessionStateSchema,
  sessionsContract,
} from './sessions.ts'
export type {
  FileContent,
  AgentModels,
  AgentModelsQuery,
  FileQuery,
  ForkOptions,
  Page,
  PromptReceipt,
  SessionAnswer,
  SessionChange,
  SessionInfo,
  SessionInit,
  SessionQuery,
  SessionShare,
  SessionState,
  Sessions,
  WorkspaceFile,
} from './sessions.ts'
export {
  isoTime,
  notAhead,
  oneLine,
  statedAddress,
  statedCount,
  statedCounter,
  statedDate,
  statedInstant,
  statedLine,
  statedName,
  statedText,
} from './stated.ts'
export { fromBase64, isBase64, packValue, toBase64, unpackValue } from './wire-value.ts'
export type { PackedValue } from './wire-value.ts'
