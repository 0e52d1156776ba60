import type { Audit, AuditLine, Clock, Logger } from '@qmtcode/protocol'
import { accountName } from '../account.ts'
import { printableLine } from '../output/printable.ts'
import { openAuditFile } from './audit-file.ts'
import { createAuditSummary } from './audit-summary.ts'

/** What this node notes of its peers, in `QMT_HOME/audit.jsonl`. */
export interface AuditLog extends Audit {
  /** After it nothing is noted. Safe to call twice. */
  close(): Promise<void>
}

const MAX_TEXT_CHARS = 200

export async function openAuditLog(file: string, components: { clock: Clock; log: Logger }): Promise<AuditLog> {
  const target = await openAuditFile(file, components)
  const user = accountName()
  const write = (line: AuditLine): void => target.write(plain(line.by === 'person' ? { ...line, user } : line))
  const summary = createAuditSummary({ clock: components.clock, write })
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    summary.stop()
    summary.flush()
    await target.close()
  }
  return {
    note(entry) {
      if (!closing) summary.add(entry) // what is only counted is not looked at
    },
    close: () => (closing ??= close()),
  }
}

/** Names, addresses and reasons may be a peer's words: short, and no control characters. */
function plain(line: AuditLine): object {
  const fields: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(line)) fields[key] = typeof value === 'string' ? printableLine(value, MAX_TEXT_CHARS) : value
  return fields
}
