#!/usr/bin/env node
// Parses on every Node since 14.8, so that an old one gets a sentence instead of a syntax error.
import module from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'

const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `qmtcode needs Node 24 or newer; this is ${process.version}. In a clone, \`npx qmtcode\` uses the Node of its own dependencies.\n`,
  )
  process.exit(2)
}
// Compiled code is kept in the user's own cache: a start takes half the time, and nobody else can put code there, as they could in /tmp.
// The variable is for the worker threads.
process.env.NODE_COMPILE_CACHE ||= join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'qmtcode')
module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
const { main } = await import('../src/main.ts')
await main(process.argv.slice(2))
