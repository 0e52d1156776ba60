import assert from 'node:assert/strict'
import test from 'node:test'
import { createPermissions } from './permissions.ts'
import type { PermissionDecision, PermissionOptions } from './types.ts'

function decide(command: string, options: PermissionOptions, more: { allow?: string[]; isMore?: boolean } = {}): PermissionDecision {
  const session = createPermissions(options).forSession({ allow: more.allow ?? [], granted: [] })
  return session.decide({ tool: 'shell', permission: 'shell', command, isMore: more.isMore })
}

const shown = (text: string): string => JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)

/** By pattern: commands that a rule with it allows, and as which words they run. */
const ALLOWED: Record<string, [command: string, ...words: string[]][]> = {
  'git status': [
    ['git status', 'git', 'status'],
    [' git\tstatus\n', 'git', 'status'],
    [`'git' "status"`, 'git', 'status'],
    ['git stat\\us', 'git', 'status'],
    ['git \\\n status', 'git', 'status'],
    ['git status # and this is no command; rm x', 'git', 'status'],
  ],
  'git status *': [
    ['git status', 'git', 'status'],
    ['git status -s', 'git', 'status', '-s'],
    ['git status -- a "b c"', 'git', 'status', '--', 'a', 'b c'],
    [`git status '; rm x' "\\$(rm x)"`, 'git', 'status', '; rm x', '$(rm x)'],
  ],
  'git status*': [
    ['git status', 'git', 'status'],
    ['git status -s src/a', 'git', 'status', '-s', 'src/a'],
  ],
  'npm run test*': [['npm run test:unit -- a', 'npm', 'run', 'test:unit', '--', 'a']],
  'git * --stat': [['git show --stat', 'git', 'show', '--stat']],
  'git commit -m "a b"': [[`git commit -m 'a b'`, 'git', 'commit', '-m', 'a b']],
  'git ?s-files': [['git ls-files', 'git', 'ls-files']],
  'find . -name *': [['find . -name "*.ts"', 'find', '.', '-name', '*.ts']],
  'find . -delete': [['find . -delete', 'find', '.', '-delete']],
  'env CI=1 npm test': [['env CI=1 npm test', 'env', 'CI=1', 'npm', 'test']],
  'bash scripts/*': [['bash scripts/build.sh x', 'bash', 'scripts/build.sh', 'x']],
  '*': [['ls -l', 'ls', '-l']],
}

/** By pattern: commands that it does not allow, however they are spelled. */
const NOT_ALLOWED: Record<string, string[]> = {
  'git status*': [
    'git status; rm x',
    'git status && rm x',
    'git status || rm x',
    'git status | sh',
    'git status |& sh',
    'git status & rm x',
    'git status &',
    'git status\nrm x',
    'git status\r\nrm x',
    'git status $(rm x)',
    'git status "$(rm x)"',
    'git status `rm x`',
    'git status "`rm x`"',
    'git status <(rm x)',
    'git status > .git/hooks/post-checkout',
    'git status >> x',
    'git status 2> x',
    'git status &> x',
    'git status >| x',
    'git status < x',
    'git status <<< x',
    'git status <<E\n$(rm x)\nE',
    'git status $X',
    'git status ${X@P}',
    'git status "${X:-$(rm x)}"',
    'git status $((x[$(rm x)]))',
    'git status {a,b}',
    'git status *.ts',
    'git status a?',
    'git status [ab]',
    'git status ~/x',
    'git status ~root',
    'git status --exclude=~/x',
    `git status $'\\x3b'`,
    'git status $"x"',
    'git status !(a)',
    'X=1 git status',
    'PATH=. git status',
    'GIT_EXTERNAL_DIFF=./x git status',
    'A=$(rm x) git status',
    'A=(x) git status',
    'git -c core.fsmonitor=./x status',
    'git -C /tmp/x status',
    'git --git-dir=x status',
    'git --exec-path=. status',
    'git  -p status',
    './git status',
    '/tmp/git status',
    'GIT status',
    'git Status',
    'gits tatus',
    'git\u00a0status',
    'git\u200bstatus',
    'git "status -s; x',
    'git status )',
    'git status;;',
    '! git status',
    'time git status',
    '(git status)',
    '{ git status; }',
    'if git status; then rm x; fi',
    'for i in 1; do git status; done',
    'git() { rm x; }; git status',
    'function git { rm x; }',
    'coproc git status',
    'eval git status',
    'exec git status',
    'command git status',
    'env git status',
    'sudo git status',
    `sh -c 'git status'`,
    'xargs git status',
    'timeout 5 git status',
    'alias git=rm; git status',
    '[[ git == status ]]',
    '((git))',
    '$GIT status',
    'g$()it status',
    'git status\0',
    '',
    '#git status',
    `git status ${'a '.repeat(40_000)}`,
    `git status ${'$('.repeat(5_000)}`,
  ],
  'git log *': ['git log --output=.git/hooks/post-checkout', 'git log --outpu=x', 'git log --ext-diff', 'git log --textconv -p'],
  'git diff*': ['git difftool -x ./x', 'git diff --ext-diff', 'git diff --output x'],
  'git *': [
    'git -c alias.x=!rm x',
    'git -C x status',
    'git --config-env=a=b status',
    'git config alias.x !rm',
    'git grep -Ovi x',
    'git grep --open-files-in-pager=vi x',
    'git clone -u ./x . y',
    'git clone --u=./x . y',
    'git rebase --exec ./x',
    'git submodule foreach ./x',
    'git bisect run ./x',
    'git --work-tree=/ checkout .',
  ],
  'find *': ['find . -exec rm x +', 'find . -execdir rm x +', 'find . -ok rm x', 'find . -delete', 'find . -fprint x', 'find . -fls x'],
  'fd *': ['fd . -x rm', 'fd . --exec rm', 'fd . -HX rm'],
  'rg *': ['rg --pre ./x y'],
  'sort *': ['sort -o x y', 'sort --output=x y', 'sort --compress-program=./x y'],
  'env *': ['env X=1 rm x', 'env rm x', `env -S 'rm x'`],
  'xargs *': ['xargs rm'],
  'nohup *': ['nohup rm x'],
  'bash *': [`bash -c 'rm x'`, `bash -lc 'rm x'`, 'bash --rcfile x'],
  '*': [`sh -c 'rm x'`, 'env rm x', 'ls; rm x', 'sudo rm x', 'git -c a.b=c status', 'X=1 ls'],
  'git status; rm x': ['git status; rm x'],
  'X=1 ls': ['X=1 ls'],
  'ls $X': ['ls $X'],
  'cat a': ['cat', 'cat a b', 'cat "a "', 'cat A'],
  'git ? x': ['git ab x', 'git x'],
}

for (const [match, rows] of Object.entries(ALLOWED)) {
  for (const [command, ...words] of rows) {
    test(`a rule is about what happens: ${match} allows ${shown(command)} as its words`, () => {
      const { action, words: run } = decide(command, { rules: [{ tool: 'shell', match, action: 'allow' }] })
      assert.deepEqual([action, run], ['allow', words])
    })
  }
}

for (const [match, commands] of Object.entries(NOT_ALLOWED)) {
  for (const command of commands) {
    test(`a rule is about what happens: ${match} does not allow ${shown(command)}`, () => {
      assert.equal(decide(command, { rules: [{ tool: 'shell', match, action: 'allow' }] }).action, 'ask')
    })
  }
}

/** By pattern: commands that a rule with it denies, however they are spelled. */
const DENIED: Record<string, string[]> = {
  'rm *': [
    'rm x',
    'rm  x',
    'rm\tx',
    'rm',
    'r\\m x',
    `r''m x`,
    '"rm" x',
    `$'\\x72m' x`,
    '/bin/rm x',
    './rm x',
    'RM x',
    'rm $X',
    'X=1 rm x',
    '> y rm x',
    'rm x > y',
    '! rm x',
    'time rm x',
    'ls; rm x',
    'ls && rm x',
    'ls | rm x',
    'ls & rm x',
    'ls\nrm x',
    '(rm x)',
    '{ rm x; }',
    'if true; then rm x; fi',
    'if rm x; then ls; fi',
    'while rm x; do ls; done',
    'until rm x; do ls; done',
    'for i in $(rm x); do ls; done',
    'for ((i=$(rm x);;)); do ls; done',
    'case $(rm x) in a) ls;; esac',
    'case a in a) rm x;; esac',
    'case a in $(rm x)) ls;; esac',
    'select i in a; do rm x; done',
    'f() { rm x; }; f',
    'function f { rm x; }',
    'coproc rm x',
    'echo $(rm x)',
    'echo "$(rm x)"',
    'echo `rm x`',
    'echo "a `rm x`"',
    'echo `echo \\`rm x\\``',
    'echo ${A:-$(rm x)}',
    'echo ${A/$(rm x)/b}',
    'echo $((1 + $(rm x)))',
    '(( a[$(rm x)] ))',
    'A=$(rm x)',
    'A=($(rm x))',
    'export A=$(rm x)',
    '[[ -n $(rm x) ]]',
    'cat <(rm x)',
    'ls > >(rm x)',
    'ls > $(rm x)',
    'cat <<E\n$(rm x)\nE',
    'cat <<< $(rm x)',
    `sh -c 'rm x'`,
    `bash -lc 'ls; rm x'`,
    `/bin/bash -o pipefail -ec "rm x"`,
    `sh -c "sh -c 'rm x'"`,
    `sh -c 'echo $(rm x)'`,
    'sh <<E\nrm x\nE',
    `bash <<'E'\nrm x\nE`,
    'bash <<< "rm x"',
    'bash -s <<< "rm x"',
    'eval rm x',
    `eval 'rm x'`,
    'eval r"m x"',
    `trap 'rm x' EXIT`,
    'env rm x',
    'env A=b rm x',
    'env -i A=b rm x',
    'env -u A rm x',
    `env -S 'rm x'`,
    `env -S'rm x'`,
    `env --split-string='rm x'`,
    'sudo rm x',
    'sudo -u root rm x',
    '/usr/bin/sudo -- rm x',
    'sudo env A=b nohup timeout 5 rm x',
    `su -c 'rm x' root`,
    'nohup rm x &',
    'nice -n 5 rm x',
    'timeout -k 1 5 rm x',
    'stdbuf -o0 rm x',
    'setsid rm x',
    'ls | xargs rm',
    'ls | xargs -n1 -I{} rm {}',
    `ls | xargs sh -c 'rm x'`,
    'command rm x',
    'exec rm x',
    'exec -a ls rm x',
    'builtin rm x',
    'busybox rm x',
    'find . -exec rm {} +',
    `find . -exec sh -c 'rm "$1"' _ {} \\;`,
    'fd . -x rm',
    'watch rm x',
    `watch 'rm x'`,
    `script -c 'rm x'`,
    'strace -f rm x',
    'rm x; "',
    'if rm x',
  ],
  'git push*': [
    'git push',
    'git  push origin',
    'git -C . push',
    'git -c a.b=c push',
    'git -c a.b=c -C . push',
    'git --no-pager push',
    'git --git-dir .git --work-tree . push',
    'git pu""sh',
    'cd x && git push',
    'GIT_SSH=x git push',
  ],
  '*--force*': ['git push --force', 'git push "--force"', 'git push --fo"rce"', 'ls; git push --force', 'git push --fo\\rce'],
  'curl *': ['curl x | sh', `curl ${'x'.repeat(5_000)}`, `env curl ${'x'.repeat(5_000)}`],
}

/** Nobody but the shell knows whether they are what the rule denies. */
const UNSURE: Record<string, string[]> = {
  'rm *': [
    '$X y',
    '"$X" y',
    '$(echo rm) x',
    '`echo rm` x',
    'r$X x',
    'r{m,n} x',
    'r? x',
    '/bin/r* x',
    '${A}m x',
    '~/x y',
    'eval "$X"',
    'eval $(x)',
    'sh -c "$X"',
    'sh -c "$(cat x)"',
    'curl x | sh',
    'curl x | bash -s -- a',
    'cat x | sudo bash',
    'sh < x',
    'sh <<E\n$X\nE',
    'env $X y',
    'xargs $X',
    `trap "$X" EXIT`,
    'ls; "',
    'if x',
    'ls )',
    'cat <(',
    `ls ${'a '.repeat(40_000)}`,
    `ls ${'; ls'.repeat(3_000)}`,
    `env ${'a '.repeat(3_000)} ls`,
    `${'$('.repeat(5_000)}ls`,
    `${"eval '".repeat(1)}sh -c "sh -c \\"sh -c 'x`,
  ],
  'git push*': ['git $X', 'git $X push', 'git p$X', '"$GIT" push', 'git ${A:-push}', 'git {push,pull}'],
}

/** What only looks like it. */
const NOT_DENIED: Record<string, string[]> = {
  'rm *': [
    'ls',
    'echo a rm x',
    'grep rm x',
    `git commit -m 'rm x'`,
    'ls $X',
    'ls *.ts',
    'for i in *.ts; do echo "$i"; done',
    'cat <<E\n- rm x\nE',
    `echo 'a; b'`,
    'rmdir x',
    'env A=$X ls',
    'bash build.sh $X',
    'npm run rm x',
    'A=$X; ls "$A"',
  ],
  'git push*': ['git status', 'git commit -m push', 'git log $X', 'git stash push', 'echo git $X'],
}

for (const [match, commands] of Object.entries(DENIED)) {
  for (const command of commands) {
    test(`a rule is about what happens: ${match} denies ${shown(command)}`, () => {
      const rules = [{ tool: 'shell', match, action: 'deny' as const }]
      assert.equal(decide(command, { shell: 'allow', rules }, { allow: ['shell'] }).action, 'deny')
    })
  }
}

for (const [match, commands] of Object.entries(UNSURE)) {
  for (const command of commands) {
    test(`a rule is about what happens: where ${match} denies, ${shown(command)} is asked, whatever else is allowed`, () => {
      const rules = [{ tool: 'shell', match, action: 'deny' as const }]
      assert.equal(decide(command, { shell: 'allow', rules }, { allow: ['shell'] }).action, 'ask')
      assert.equal(decide(command, { shell: 'deny', rules }).action, 'deny')
      assert.equal(decide(command, { rules: [{ tool: 'shell', action: 'deny' }, ...rules] }).action, 'deny')
      assert.equal(decide(command, { shell: 'allow' }).action, 'allow')
    })
  }
}

for (const [match, commands] of Object.entries(NOT_DENIED)) {
  for (const command of commands) {
    test(`a rule is about what happens: ${match} does not mean ${shown(command)}`, () => {
      assert.equal(decide(command, { shell: 'allow', rules: [{ tool: 'shell', match, action: 'deny' }] }).action, 'allow')
    })
  }
}

test('an answer for the session holds for a command that a rule may deny, and for none that it denies', () => {
  const rules = [{ tool: 'shell', match: 'rm *', action: 'deny' as const }]
  const after = (command: string) =>
    createPermissions({ rules })
      .forSession({ allow: [], granted: [{ tool: 'shell', permission: 'shell', command }] })
      .decide({ tool: 'shell', permission: 'shell', command }).action
  assert.deepEqual([after('$X y'), after('rm x')], ['allow', 'deny'])
})

test('where an agent runs more than the command it names, no rule allows it, and one that denies asks', () => {
  const allow = { tool: 'shell', match: 'git status *', action: 'allow' as const }
  const deny = { tool: 'shell', match: 'rm *', action: 'deny' as const }
  assert.equal(decide('git status', { rules: [allow] }, { isMore: true }).action, 'ask')
  assert.equal(decide('ls', { shell: 'allow', rules: [deny] }, { isMore: true }).action, 'ask')
  assert.equal(decide('rm', { shell: 'allow', rules: [deny] }, { isMore: true }).action, 'deny')
})

test('a rule that allows is looked at after one that restricts, and before it', () => {
  const deny = { tool: 'shell', match: 'git push*', action: 'deny' as const }
  const allow = { tool: 'shell', match: 'git push --dry-run', action: 'allow' as const }
  assert.equal(decide('git push --dry-run', { rules: [deny, allow] }).action, 'allow')
  assert.equal(decide('git push --dry-run; git push', { rules: [deny, allow] }).action, 'deny')
  assert.equal(decide('git push --dry-run', { rules: [allow, deny] }).action, 'deny')
})

test('reading a command that is made to take long takes no long time', () => {
  const rules = ['a*b*c*d', '*x*y*z*', 'rm *'].map((match) => ({ tool: 'shell', match, action: 'deny' as const }))
  for (const part of [
    'a b c ',
    'abc',
    '$x ',
    '$(x) ',
    'env ',
    '"$x"',
    'sh -c "x" ;',
    '{a,',
    '<<E\n',
    'env sh $x ',
    '[[ -n `x` ]];',
    "eval 'x';",
  ]) {
    const command = part.repeat(Math.floor(60_000 / part.length))
    const startedAt = performance.now()
    decide(command, { rules })
    const took = performance.now() - startedAt
    assert.ok(took < 1_000, `${part}: ${took} ms`)
  }
})
