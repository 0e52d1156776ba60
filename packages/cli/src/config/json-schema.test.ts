import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { configJsonSchema, schemaAt, tables } from './json-schema.ts'
import type { JsonSchema } from './json-schema.ts'
import { withKeyTables } from './key-tables.ts'
import { readConfig } from './read.ts'

const DOCS = join(import.meta.dirname, '..', '..', '..', '..', 'docs', 'configuration.md')

test('the JSON schema is of draft 2020-12, closed, and of the file as it is written', () => {
  const schema = configJsonSchema()
  assert.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema')
  assert.deepEqual([schema.type, schema.additionalProperties, schema.required], ['object', false, undefined])
  assert.deepEqual(schemaAt(['mesh', 'peers', 0])?.required, ['name'])
  assert.equal(schemaAt(['mesh', 'request_timeout_secs'])?.default, 300)
  assert.deepEqual(schemaAt(['mesh', 'discovery', 0])?.enum, ['mdns', 'kademlia', 'none'])
  assert.equal(schemaAt(['providers', 'any name', 'api_key'])?.type, 'string')
  assert.equal(JSON.stringify(schema).includes('$ref'), false)
})

test('every table and every key says what it means', () => {
  assert.ok(tables().length > 15)
  const silent = tables().flatMap(({ header, description, keys }) => [
    ...(description === '' ? [header] : []),
    ...keys.filter(({ schema }: { schema: JsonSchema }) => !schema.description).map(({ name }) => `${header} ${name}`),
  ])
  assert.deepEqual(silent, [])
})

test('the key tables of docs/configuration.md are those of the schema', async () => {
  const page = await readFile(DOCS, 'utf8')
  assert.equal(page, withKeyTables(page), 'out of date: run node scripts/config-docs.ts')
})

test('every example of docs/configuration.md is a configuration without a complaint', async () => {
  const blocks = Array.from((await readFile(DOCS, 'utf8')).matchAll(/```toml\n(.*?)```/gs), ([, block = '']) => block)
  assert.ok(blocks.length >= 3)
  for (const block of blocks) assert.deepEqual(readConfig(block, { file: 'docs', env: { LAB_KEY: 'k' } }).diagnostics, [], block)
})
