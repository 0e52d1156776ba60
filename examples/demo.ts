// Two machines on one: `gpu-server` shares a model, `laptop` has the files and no key. One prompt on the laptop.
// Usage: npm run demo [-- --real]     --real: the model this machine really has, instead of builtin/demo.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { narrate } from './demo/narrate.ts'
import { createNode } from './demo/node.ts'
import { writeWorkspace } from './demo/workspace.ts'

const PROMPT = 'List the files, read src/greet.js, run node --test, search for TODO and summarise.'

const STARTED = /listening: (\S+\/p2p\/(\S+))\n(?:.*\n)*?default model: (\S+)/

const real = process.argv.includes('--real')
const root = await mkdtemp(join(tmpdir(), 'qmt-demo-'))
const say = (line = ''): void => {
  process.stdout.write(`${line}\n`)
}

async function demo(): Promise<number> {
  const workspace = join(root, 'laptop', 'project')
  await mkdir(workspace, { recursive: true })
  await writeWorkspace(workspace)
  await using server = await createNode(join(root, 'gpu-server'), { keys: real })
  await using laptop = await createNode(join(root, 'laptop', 'home'), { keys: false, cwd: workspace })

  const identity = await laptop.run(['identity', '--json'])
  if (identity.code !== 0) throw new Error(`qmtcode identity ended with ${identity.code}:\n${identity.stderr}`)
  const { peerId: laptopId } = JSON.parse(identity.stdout) as { peerId: string }
  await writeFile(join(server.home, 'config.toml'), serverConfig(laptopId))
  const startedAt = performance.now()
  const [, address = '', serverId = '', found = ''] = await server.startUntil(['--headless', '--mesh'], STARTED)
  say(`gpu-server  ${serverId}`)
  say(`            listening on ${address.replace(/\/p2p\/.*/, '')}`)
  say(`            up in ${Math.round(performance.now() - startedAt)} ms; admits the laptop as client, nobody else`)
  const model = real ? found : 'builtin/demo'
  if (model === 'none') {
    say('gpu-server  has no model: set ANTHROPIC_API_KEY or OPENAI_API_KEY, or start Ollama; then again: npm run demo -- --real')
    return 3
  }
  const config = laptopConfig(address, model)
  await writeFile(join(laptop.home, 'config.toml'), config)
  say(`laptop      ${laptopId}`)
  say(`            holds no key and no model; its configuration:\n`)
  say(config.trim().replaceAll(/^/gm, '              '))
  say(`\n$ qmtcode run --agent gpu-coder --allow shell \\`)
  say(`    "${PROMPT}"\n`)
  return await narrate(laptop.spawn(['run', '--json', '--agent', 'gpu-coder', '--allow', 'shell', PROMPT]), { model, say })
}

const serverConfig = (laptopId: string): string => `
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "gpu-server"

[mesh.share]
models = ["*"]

[[mesh.peers]]
name = "laptop"
peer_id = "${laptopId}"
role = "client"
use = false
`

function laptopConfig(address: string, model: string): string {
  const slash = model.indexOf('/')
  return `
[mesh]
listen = "/ip4/127.0.0.1/tcp/0"
discovery = "none"
node_name = "laptop"

[[mesh.peers]]
name = "gpu-server"
addr = "${address}"

[[delegates]]
id = "gpu-coder"
provider = "${model.slice(0, slash)}"
model = "${model.slice(slash + 1)}"
description = "Coder that thinks on the GPU machine"
peer = "gpu-server"
tools = ["list_files", "read_file", "search_text", "shell"]
`
}

try {
  process.exitCode = await demo()
} finally {
  await rm(root, { recursive: true, force: true })
}
