import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const FILES: Record<string, string> = {
  'package.json': '{ "name": "greeter", "type": "module" }\n',
  'README.md': '# Greeter\n\nSays hello in several languages.\n',
  'src/greet.js': `export function greet(name, language = 'en') {
  const hello = { en: 'Hello', fr: 'Bonjour', de: 'Hallo' }[language]
  // TODO: an unknown language says "undefined"
  return \`\${hello}, \${name}!\`
}
`,
  'test/greet.test.js': `import assert from 'node:assert/strict'
import { test } from 'node:test'
import { greet } from '../src/greet.js'

test('says hello', () => assert.equal(greet('Ada'), 'Hello, Ada!'))
test('says bonjour', () => assert.equal(greet('Ada', 'fr'), 'Bonjour, Ada!'))
`,
}

/** The laptop's project: small, real, with tests that run. */
export async function writeWorkspace(directory: string): Promise<void> {
  for (const [path, text] of Object.entries(FILES)) {
    await mkdir(join(directory, path, '..'), { recursive: true })
    await writeFile(join(directory, path), text)
  }
}
