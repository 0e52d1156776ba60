import { nftIn } from './shell.ts'
import type { BlockRule } from './types.ts'

const HOOKS = { in: ['input', 'forward'], out: ['output', 'forward'], both: ['input', 'output', 'forward'] } as const
let rules = 0

/** One rule is one table, so that lifting it leaves the others. */
export async function block(namespace: string, rule: BlockRule): Promise<AsyncDisposable> {
  const { protocol, port, direction = 'both', how = 'drop' } = rule
  if (port !== undefined && protocol === undefined) throw new TypeError('a port is one of tcp or udp: say the protocol')
  rules += 1
  const table = `inet block${rules}`
  const match = port === undefined ? (protocol === undefined ? '' : `meta l4proto ${protocol}`) : `${protocol} dport ${port}`
  const verdicts = how === 'drop' ? ['drop'] : ['meta l4proto tcp reject with tcp reset', 'reject']
  const chains = HOOKS[direction].flatMap((hook) => [
    `add chain ${table} ${hook} { type filter hook ${hook} priority 0; };`,
    `add rule ${table} ${hook} oif lo accept;`,
    `add rule ${table} ${hook} iif lo accept;`,
    ...(how === 'refuse' ? [`add rule ${table} ${hook} tcp flags & rst == rst accept;`] : []), // the refusal itself passes
    ...verdicts.map((verdict) => `add rule ${table} ${hook} ${match} ${verdict};`),
  ])
  const legal = chains.filter((line) => !(/ (input) oif /.test(line) || / (output) iif /.test(line)))
  await nftIn(namespace, [`add table ${table};`, ...legal].join(' '))
  return {
    async [Symbol.asyncDispose]() {
      await nftIn(namespace, `delete table ${table}`).catch(() => undefined)
    },
  }
}
