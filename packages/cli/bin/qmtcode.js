#!/usr/bin/env node
// Parses on every Node since 14.8, so that an old one gets a sentence instead of a syntax error.
import module from 'node:module'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `qmtcode needs Node 24 or newer; this is ${process.version}. In a clone, \`npx qmtcode\` uses the Node of its own dependencies.\n`,
  )
  process.exit(2)
}
try {
  process.cwd()
} catch {
  process.stderr.write('the directory that qmtcode was started in no longer exists: cd to one that does, and start it again\n')
  process.exit(2)
}
// Compiled code is kept in the user's own cache: a start takes half the time, and nobody else can put code there, as they could in /tmp.
// The variable is for the worker threads.
const cache = cacheDirectory()
if (cache !== undefined) {
  process.env.NODE_COMPILE_CACHE ||= join(cache, 'qmtcode')
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
}
const { main } = await import('../src/main.ts')
await main(process.argv.slice(2))

/** Undefined for a user without a home: an id without an account, and without $HOME. */
function cacheDirectory() {
  const { XDG_CACHE_HOME: given } = process.env
  if (given !== undefined && isAbsolute(given)) return given // else it would be code of the directory that this starts in
  try {
    return join(homedir(), '.cache')
  } catch {
    return undefined
  }
}
