import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { SandboxPlan } from './plan.ts'
import type { SandboxProgram } from './types.ts'

/**
 * sandbox-exec of macOS. It has no mounts: what looks empty on Linux is refused here, and a home and a temporary directory of their own
 * stand in for those of the person, shared by all commands. So it holds the person's own commands, not those of peers.
 */
export const seatbelt: SandboxProgram = {
  name: 'sandbox-exec',
  paths: ['/usr/bin/sandbox-exec'],
  holdsGuests: false,
  wrap: async (path, plan, command) => {
    const [home, temporary] = [join(plan.scratch, 'home'), join(plan.scratch, 'tmp')]
    for (const directory of [home, temporary]) await mkdir(directory, { recursive: true, mode: 0o700 })
    return {
      file: path,
      args: ['-p', seatbeltProfile(plan), command.file, ...command.args],
      env: { ...command.env, HOME: home, TMPDIR: temporary, TMP: temporary, TEMP: temporary },
    }
  },
}

/** Answers of the system that programs need: names of users, logs, time, and certificates where there is a network. No keychain, no apps. */
const SERVICES = ['com.apple.system.opendirectoryd.libinfo', 'com.apple.system.logger', 'com.apple.system.notification_center']
const NETWORK_SERVICES = ['com.apple.trustd.agent', 'com.apple.SystemConfiguration.configd', 'com.apple.dnssd.service']
/** Not `kern.procargs2`: it tells the environment of other processes. */
const SYSCTLS = [
  'hw.',
  'machdep.',
  'vm.',
  'kern.os',
  'kern.ver',
  'kern.hostname',
  'kern.max',
  'kern.argmax',
  'kern.ngroups',
  'kern.usrstack',
]

/** Of lines that speak of the same thing, the last one holds. */
export function seatbeltProfile(plan: SandboxPlan): string {
  const writable = [...plan.writable, plan.scratch]
  const shown = [...plan.readable, ...writable]
  const closed = [...plan.closedDirectories.map(subpath), ...plan.closedFiles.map(literal)]
  return [
    '(version 1)',
    '(deny default)',
    '(allow process-exec process-fork pseudo-tty)',
    '(allow signal process-info* (target same-sandbox))',
    rule(
      'allow sysctl-read',
      SYSCTLS.map((name) => `(sysctl-name-prefix ${quoted(name)})`),
    ),
    rule(
      'allow mach-lookup',
      [...SERVICES, ...(plan.network ? NETWORK_SERVICES : [])].map((name) => `(global-name ${quoted(name)})`),
    ),
    ...(plan.network ? NETWORK : []),
    '(allow file-read*)',
    rule('deny file-read*', plan.empty.map(subpath)),
    rule('allow file-read-metadata', ancestorsOf(shown).map(literal)),
    rule('allow file-read*', shown.map(subpath)),
    rule('allow file-write*', writable.map(subpath)),
    '(allow file-write-data file-ioctl (literal "/dev/null") (literal "/dev/zero") (literal "/dev/dtracehelper"))',
    rule('deny file-write*', [...plan.fixed.map(subpath), ...plan.held.map(literal)]),
    rule('deny file-read* file-write*', closed),
    rule('allow file-read*', [subpath(plan.outputDir)]),
  ]
    .filter((line) => line !== '')
    .join('\n')
}

/** To hosts; of sockets in files only the one that looks up names. */
const NETWORK = [
  '(allow network*)',
  '(deny network-outbound (remote unix-socket))',
  '(allow network-outbound (literal "/private/var/run/mDNSResponder"))',
  '(allow system-socket)',
]

/** Without anything to speak of, a line would speak of everything. */
const rule = (head: string, filters: readonly string[]): string => (filters.length === 0 ? '' : `(${head} ${filters.join(' ')})`)
const subpath = (path: string): string => `(subpath ${quoted(path)})`
const literal = (path: string): string => `(literal ${quoted(path)})`
const quoted = (text: string): string => `"${text.replaceAll('\\', String.raw`\\`).replaceAll('"', String.raw`\"`)}"`

function ancestorsOf(paths: readonly string[]): string[] {
  const found = new Set<string>()
  for (const path of paths) for (let at = dirname(path); at !== '/'; at = dirname(at)) found.add(at)
  return [...found].toSorted()
}
