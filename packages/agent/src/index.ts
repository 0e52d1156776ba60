export { createEventLog } from "./log/event-log.ts"
export type { EventLogComponents } from "./log/event-log.ts"
export type { EventLog, EventLogOptions } from "./log/types.ts"
export { createPermissions } from './permissions/permissions.ts'
export type { PermissionAction, PermissionName, PermissionOptions, PermissionRule, Permissions } from './permissions/types.ts'
export { createTools } from './tools/tool-set.ts'
export type { ToolOptions } from './tools/tool-set.ts'
export type { Tool, ToolSet } from './tools/types.ts'
export { createTurnRunner } from './turn/runner.ts'
export type { TurnComponents, TurnOptions } from './turn/runner.ts'
export type { ChosenRoute, RoutedCall, Router, RunTurn, TurnContext, TurnOutcome } from './turn/types.ts'
