import type { EventLog } from '@qmtcode/agent'
import type { SessionId } from '@qmtcode/protocol'

/** `log`, and `onWrite` told of each session whose events changed, once that is on disk. */
export function watchedLog(log: EventLog, onWrite: (id: SessionId) => void): EventLog {
  const told = async <Value>(id: SessionId, written: Promise<Value>): Promise<Value> => {
    const value = await written
    onWrite(id)
    return value
  }
  return {
    ...log,
    create: (session, ...args) => told(session.id, log.create(session, ...args)),
    append: (id, ...args) => told(id, log.append(id, ...args)),
    remove: (id) => told(id, log.remove(id)),
  }
}
