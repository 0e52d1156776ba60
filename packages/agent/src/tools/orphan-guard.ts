import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'

/**
 * Lines on its stdin: `+ GROUP` and `- GROUP`. When that pipe ends, the process at its other end has ended, however it did: the groups that
 * are left end too, by SIGTERM, and a second later by SIGKILL.
 */
const SCRIPT = `trap '' HUP INT TERM
left=' '
while read -r change group; do
  case $change in
    +) left="$left$group " ;;
    -) left="\${left%% $group *} \${left#* $group }" ;;
  esac
done
for group in $left; do kill -TERM "-$group" 2>/dev/null && found=1; done
[ -n "$found" ] || exit 0
sleep 1
for group in $left; do kill -KILL "-$group" 2>/dev/null; done`

let guard: ChildProcess | undefined

/** The command tells the guard of itself before it begins: there is no moment in which it runs unguarded. */
const REGISTER = 'echo "+ $$" >&3; exec 3>&- "$0" "$@"'

/**
 * Starts a command in a process group of its own, without input. The group ends when this process does, also by SIGKILL, which no handler
 * sees; dispose it when the group has ended. One small shell process watches for all groups; it starts before the first, and ends with this
 * process.
 */
export function spawnGuarded(
  file: string,
  args: readonly string[],
  { cwd, env }: { cwd: string; env: Readonly<Record<string, string | undefined>> },
): Disposable & { child: ChildProcess } {
  guard ??= startGuard()
  const { stdin } = guard
  const child = spawn('/bin/sh', ['-c', REGISTER, file, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe', stdin], detached: true })
  return { child, [Symbol.dispose]: () => stdin?.write(`- ${child.pid}\n`) }
}

function startGuard(): ChildProcess {
  const child = spawn('/bin/sh', ['-c', SCRIPT], {
    cwd: '/',
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  const forget = (): void => {
    if (guard === child) guard = undefined // the next group starts another one
  }
  child.on('error', forget).on('exit', forget)
  child.stdin?.on('error', () => {}) // it ended: nothing is left to tell it
  child.unref()
  if (child.stdin && 'unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref()
  return child
}
