import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

const SECRETS = ['OPENAI_API_KEY', 'LAB_KEY', 'NODE_AUTH_TOKEN', 'AWS_SECRET_ACCESS_KEY', 'https_proxy', 'WHATEVER', 'SSH_AUTH_SOCK']

test("a secret leaves the process's own environment, whatever it is called; who is handed the environment has it", () => {
  const module = fileURLToPath(new URL('./own-environment.ts', import.meta.url))
  const script = `import { takeEnvironment } from ${JSON.stringify(module)}
    import { execFileSync } from 'node:child_process'
    const taken = takeEnvironment(process.env)
    console.log(JSON.stringify({ taken, own: { ...process.env }, child: execFileSync('/usr/bin/env', { encoding: 'utf8' }) }))`
  const env = { ...process.env, ...Object.fromEntries(SECRETS.map((name) => [name, 'sk-secret'])) }
  const run = spawnSync(process.execPath, ['--input-type=module-typescript', '-e', script], { env, encoding: 'utf8' })
  const said = JSON.parse(run.stdout) as { taken: Record<string, string>; own: Record<string, string>; child: string }
  for (const name of SECRETS) assert.equal(said.taken[name], 'sk-secret')
  assert.doesNotMatch(JSON.stringify(said.own) + said.child, /sk-secret/)
  assert.equal(said.own['PATH'], process.env['PATH'])
})
