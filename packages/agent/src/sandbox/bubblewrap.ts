import type { SandboxPlan } from './plan.ts'
import type { SandboxProgram } from './types.ts'

export const bubblewrap: SandboxProgram = {
  name: 'bubblewrap',
  paths: ['/usr/bin/bwrap', '/bin/bwrap', '/usr/local/bin/bwrap', '/run/current-system/sw/bin/bwrap'],
  holdsGuests: true,
  wrap: (path, plan, { file, args, env }) =>
    Promise.resolve({
      file: path,
      args: [...bubblewrapArgs(plan), file, ...args],
      env: { ...env, TMPDIR: '/tmp', TMP: '/tmp', TEMP: '/tmp' },
    }),
}

/**
 * Arguments of `bwrap` before the command. Its own process numbers, so that `/proc` shows no process of the node; no terminal to type
 * into; no capability; it ends with the node. Later mounts lie over earlier ones: what is closed comes last.
 */
function bubblewrapArgs(plan: SandboxPlan): string[] {
  return [
    '--die-with-parent',
    '--new-session',
    '--unshare-pid',
    '--unshare-ipc',
    '--unshare-uts',
    '--unshare-cgroup-try',
    ...(plan.network ? [] : ['--unshare-net']),
    '--cap-drop',
    'ALL',
    '--ro-bind',
    '/',
    '/',
    '--dev',
    '/dev',
    '--proc',
    '/proc',
    '--remount-ro',
    '/proc', // root could set the kernel there, without a capability
    ...plan.empty.flatMap((path) => ['--tmpfs', path]),
    ...plan.readable.flatMap((path) => ['--ro-bind-try', path, path]),
    ...[...plan.writable, ...plan.held].flatMap((path) => ['--bind', path, path]),
    ...plan.fixed.flatMap((path) => ['--ro-bind', path, path]),
    ...plan.closedDirectories.flatMap((path) => ['--tmpfs', path]),
    '--ro-bind-try',
    plan.outputDir,
    plan.outputDir,
    ...plan.closedDirectories.flatMap((path) => ['--remount-ro', path]),
    ...plan.closedFiles.flatMap((path) => ['--ro-bind', '/dev/null', path]),
    '--chdir',
    plan.cwd,
    '--',
  ]
}
