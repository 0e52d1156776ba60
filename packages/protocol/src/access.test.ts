import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { ACCESS, PLAIN_ACCESS } from './access.ts'
import type { MethodAccess } from './access.ts'

const page = new URL('../../../docs/roles.md', import.meta.url)

const NEEDS: Readonly<Record<string, string>> = { owner: 'its creator', row: 'that it may know of the session' }

function tables(): string[] {
  const plain = Object.entries(PLAIN_ACCESS).map(([protocolId, least]) => [`\`${protocolId}\``, least === 'unknown' ? 'anybody' : least])
  const methods = Object.entries(ACCESS).flatMap(([service, rows]) =>
    Object.entries<MethodAccess>(rows).map(([method, { role, open, right }]) => [
      `\`${service}\``,
      `\`${method}\``,
      role,
      open ? 'yes' : '',
      right === undefined ? '' : (NEEDS[right] ?? `\`${right}\``),
    ]),
  )
  return [
    table(['protocol', 'opens to'], plain),
    table(['service', 'method', 'from role', 'unknown, if `trust = "open"`', 'on the session'], methods),
  ]
}

/** As the formatter writes it. */
function table(head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(3, ...[head, ...rows].map((row) => row[column]?.length ?? 0), title.length))
  const line = (cells: string[]): string => `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

test('docs/roles.md has the table as the code has it', async () => {
  const text = await readFile(page, 'utf8')
  for (const expected of tables()) assert.ok(text.includes(expected), `docs/roles.md differs from ACCESS; it should hold:\n\n${expected}\n`)
})
