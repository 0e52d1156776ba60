#!/usr/bin/env node
// Parses on every Node since 14, so that an old one gets a sentence instead of a syntax error.
const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `qmtcode needs Node 24 or newer; this is ${process.version}. In a clone, \`npx qmtcode\` uses the Node of its own dependencies.\n`,
  )
  process.exit(2)
}
import('../src/main.ts').then(({ main }) => main(process.argv.slice(2)))
