export { createEventLog } from "./log/event-log.ts"
export type { EventLogComponents } from "./log/event-log.ts"
export type { EventLog, EventLogOptions } from "./log/types.ts"
