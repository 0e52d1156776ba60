import { jsonLine } from '../output/printable.ts'
import { renderTable } from '../output/table.ts'
import type { Column } from '../output/table.ts'
import type { CommandContext } from './context.ts'

export interface Listing<Row> {
  rows: readonly Row[]
  columns: readonly Column<Row>[]
  /** A row as `--json` gives it. */
  json(row: Row): unknown
  /** What to say on stderr where there is nothing. */
  none: string
}

/** A table for a person, an array for a program. */
export function printList<Row>(context: CommandContext, json: boolean, listing: Listing<Row>): void {
  const { out, err, outStyle } = context
  if (json) return out.line(jsonLine(listing.rows.map(listing.json), 2))
  if (listing.rows.length === 0) return err.line(listing.none)
  for (const line of renderTable(listing.columns, listing.rows, { width: out.width, head: outStyle.dim })) out.line(line)
}
