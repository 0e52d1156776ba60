// Writes publishable packages to dist/: JavaScript, types, and a package.json each that points at them. `npm publish dist/<package>` does the rest.
import { execFileSync } from 'node:child_process'
import { chmod, copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'

const PACKAGES = ['protocol', 'agent', 'mesh', 'server', 'cli'] as const

interface Manifest {
  version: string
  bin?: Record<string, string>
  /** Doors: each a source file. */
  exports: Record<string, string>
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

await rm('dist', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
for (const name of PACKAGES) await finish(name)
process.stdout.write(`built ${PACKAGES.map((name) => `dist/${name}`).join(', ')}\n`)

async function finish(name: string): Promise<void> {
  const from = join('packages', name)
  const to = join('dist', name)
  const manifest = JSON.parse(await readFile(join(from, 'package.json'), 'utf8')) as Manifest
  const { devDependencies: _, ...published } = manifest
  const exports = Object.fromEntries(Object.entries(published.exports).map(([door, source]) => [door, built(source)]))
  await writeFile(join(to, 'package.json'), `${JSON.stringify({ ...published, exports }, null, 2)}\n`)
  await copyFile('LICENSE', join(to, 'LICENSE'))
  if (manifest.bin) await writeBin(from, to)
}

const built = (source: string): object => ({ types: source.replace(/\.ts$/, '.d.ts'), default: source.replace(/\.ts$/, '.js') })

/** The launcher starts the source in a clone, the build when published. */
async function writeBin(from: string, to: string): Promise<void> {
  const launcher = await readFile(join(from, 'bin/qmtcode.js'), 'utf8')
  await mkdir(join(to, 'bin'), { recursive: true })
  await writeFile(join(to, 'bin/qmtcode.js'), launcher.replace('../src/main.ts', '../src/main.js'))
  await chmod(join(to, 'bin/qmtcode.js'), 0o755)
  await copyFile('README.md', join(to, 'README.md'))
}
