import process from 'node:process'
import { createLocalModels } from './local-models.ts'
import { createProviders } from './providers/providers.ts'

/** For a test: reads one answer of the server named on the command line, with a limit of half a second, and prints what was said. */
const [, , baseUrl = ''] = process.argv
const models = createLocalModels({ providers: createProviders({ lab: { baseUrl } }) }, { firstTokenMs: 20_000, idleMs: 500 })
const prompt = [{ role: 'user' as const, content: [{ type: 'text' as const, text: 'hi' }] }]
let said = ''
for await (const part of models.stream({ model: 'lab/m', options: { prompt } })) {
  if (part.type !== 'text-delta') continue
  if (said === '') process.stdout.write('begun\n')
  said += part.delta
}
process.stdout.write(said.replaceAll('.', ''))
