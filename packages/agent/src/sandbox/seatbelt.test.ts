import assert from 'node:assert/strict'
import test from 'node:test'
import type { SandboxPlan } from './plan.ts'
import { seatbeltProfile } from './seatbelt.ts'

const plan: SandboxPlan = {
  empty: ['/Users', '/private/tmp'],
  readable: ['/Users/me/.nvm'],
  writable: ['/Users/me/work'],
  held: ['/Users/me/work/a'],
  fixed: [],
  obeyed: [],
  closedDirectories: ['/Users/me/work/a/qmt'],
  closedFiles: ['/Users/me/work/key'],
  outputDir: '/Users/me/work/a/qmt/output/1',
  scratch: '/private/var/folders/x/T/qmtcode-sandbox',
  cwd: '/Users/me/work',
  network: true,
}

interface Question {
  operation: string
  path: string
}

/** As the system reads a profile: the last line that speaks of an operation and a path decides. */
function decide(profile: string, { operation, path }: Question): string {
  let decision = 'deny'
  for (const line of profile.split('\n')) {
    const [, action = '', words = ''] = /^\((allow|deny) ([^()]*)/.exec(line) ?? []
    const speaksOf = words.split(' ').some((word) => (word.endsWith('*') ? operation.startsWith(word.slice(0, -1)) : word === operation))
    const filters = [...line.matchAll(/\((subpath|literal) "((?:[^"\\]|\\.)*)"\)/g)]
    const holds = filters.some(([, kind, given = '']) => path === given || (kind === 'subpath' && path.startsWith(`${given}/`)))
    if (speaksOf && (holds || /^\([a-z]+ [a-z* -]+\)$/.test(line))) decision = action
  }
  return decision
}

const CASES: [operation: string, path: string, decision: string][] = [
  ['file-read-data', '/usr/lib/libz.dylib', 'allow'],
  ['file-read-data', '/Users/me/.ssh/id', 'deny'],
  ['file-read-data', '/private/tmp/secret', 'deny'],
  ['file-read-data', '/Users/me/.nvm/bin/node', 'allow'],
  ['file-write-data', '/Users/me/.nvm/bin/node', 'deny'],
  ['file-read-metadata', '/Users/me', 'allow'],
  ['file-read-data', '/Users/me', 'deny'],
  ['file-write-data', '/Users/me/work/x', 'allow'],
  ['file-write-data', '/Users/me/workshop/x', 'deny'],
  ['file-write-data', '/etc/hosts', 'deny'],
  ['file-read-data', '/Users/me/work/a/qmt/mesh_identity.key', 'deny'],
  ['file-write-data', '/Users/me/work/a/qmt/known_peers.json', 'deny'],
  ['file-write-unlink', '/Users/me/work/a', 'deny'],
  ['file-write-data', '/Users/me/work/a/x', 'allow'],
  ['file-read-data', '/Users/me/work/key', 'deny'],
  ['file-read-data', '/Users/me/work/a/qmt/output/1/call', 'allow'],
  ['file-write-data', '/Users/me/work/a/qmt/output/1/call', 'deny'],
  ['file-write-data', '/private/var/folders/x/T/qmtcode-sandbox/tmp/x', 'allow'],
]
for (const [operation, path, decision] of CASES) {
  test(`the profile of macOS: ${decision} ${operation} ${path}`, () => {
    assert.equal(decide(seatbeltProfile(plan), { operation, path }), decision)
  })
}

test('the profile of macOS begins with no right at all, and names no line without something to speak of', () => {
  const profile = seatbeltProfile({ ...plan, closedFiles: [], held: [], closedDirectories: [], readable: [] })
  assert.match(profile, /^\(version 1\)\n\(deny default\)\n/)
  assert.doesNotMatch(profile, /^\((?:allow file-write|deny file)[a-z* -]*\)$/m)
  assert.doesNotMatch(profile, /appleevent|lsopen|keychain|SecurityServer|procargs/)
  assert.match(profile, /\(deny network-outbound \(remote unix-socket\)\)/)
  assert.doesNotMatch(seatbeltProfile({ ...plan, network: false }), /network|trustd/)
})

test('a name cannot end its quotes', () => {
  const profile = seatbeltProfile({ ...plan, writable: [String.raw`/w/a")(allow default)(x "\b`] })
  assert.ok(profile.includes(String.raw`(subpath "/w/a\")(allow default)(x \"\\b")`))
})
