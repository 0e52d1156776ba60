import type { Command } from 'commander'
import type { Invocation } from './invocation.ts'
import { parseDuration, parseLimit } from './values.ts'

interface AuditValues {
  peer?: string
  since?: number
  limit: number
  follow: boolean
  all: boolean
  json?: boolean
}

/** `audit`: what was noted of peers. */
export function addAuditCommand(program: Command, invoke: (invocation: Invocation) => void): void {
  const audit = program
    .command('audit')
    .description('what peers did here and this node there: calls, refusals, admission requests, changes of trust, invites')
    .option('--all', 'also what nodes tell each other by themselves: gossip, records, bans, measurements', false)
    .option('--peer <peer>', 'only of this peer: its name, its id, or the beginning of it')
    .option('--since <time>', 'only of the last 30m, 24h, 7d', parseDuration)
    .option('--limit <n>', 'at most so many, the newest', parseLimit, 100)
    .option('--follow', 'and then what comes, a line each, until Ctrl-C', false)
    .option('--json', 'one JSON array; with --follow one line each')
  audit.action(() => {
    const { since: sinceMs, json, ...values } = audit.optsWithGlobals<AuditValues>()
    const { peer, limit, follow, all } = values
    invoke({ command: 'audit', peer, limit, follow, all, sinceMs, json: json === true })
  })
}
