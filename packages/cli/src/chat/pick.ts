import { createInterface } from 'node:readline/promises'
import type { CommandContext } from '../commands/context.ts'
import { renderTable } from '../output/table.ts'
import type { Column } from '../output/table.ts'

/** Asks which session is meant, by its number; `left` where the person gave none. */
export async function pick<Row>(context: CommandContext, rows: readonly Row[], described: readonly Column<Row>[]): Promise<Row | 'left'> {
  const { components, out, outStyle, interrupts } = context
  const columns = [{ title: '', value: (row: Row) => String(rows.indexOf(row) + 1), align: 'right' as const }, ...described]
  for (const line of renderTable(columns, rows, { width: out.width, head: outStyle.dim })) out.line(line)
  using input = createInterface({ input: components.stdin, output: components.stdout, terminal: components.env['TERM'] !== 'dumb' })
  const closed = new AbortController()
  input.on('close', () => closed.abort())
  const signal = AbortSignal.any([interrupts.signal, closed.signal])
  for (;;) {
    const line = await input.question(`session (1-${rows.length}) › `, { signal }).catch(() => '')
    if (line.trim() === '') return 'left'
    const row = rows[Number(line.trim()) - 1]
    if (row) return row
  }
}
