// Writes the key tables of docs/configuration.md from the configuration's schema.
// Usage: node scripts/config-docs.ts [--check]      --check: exit 1 where the page is out of date, and write nothing.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { withKeyTables } from '../packages/cli/src/config/key-tables.ts'

const page = join(import.meta.dirname, '..', 'docs', 'configuration.md')
const before = await readFile(page, 'utf8')
const after = withKeyTables(before)
if (before === after) console.log('docs/configuration.md: up to date')
else if (process.argv.includes('--check')) {
  console.error('docs/configuration.md is out of date: run node scripts/config-docs.ts')
  process.exitCode = 1
} else {
  await writeFile(page, after)
  console.log('docs/configuration.md: written')
}
