import type { SessionEvent } from '@qmtcode/protocol'

/** The events that `--json` printed, one a line. */
export function eventsOf(stdout: string): SessionEvent[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as SessionEvent)
}

export type EventOf<Type extends SessionEvent['type']> = Extract<SessionEvent, { type: Type }>

export function eventsOfType<Type extends SessionEvent['type']>(events: readonly SessionEvent[], type: Type): EventOf<Type>[] {
  return events.filter((event): event is EventOf<Type> => event.type === type)
}
