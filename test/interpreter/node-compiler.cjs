// Compiles a call in Node.js with the code of the interpreter, and is started as the interpreter is: with the path of
// dist/bin/boot.js before the words. With FAULT in its environment the compiler of filters has a fault.
const { readFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { dirname, join } = require('node:path')
const { runInThisContext } = require('node:vm')

const [, , script, ...words] = process.argv
const filename = join(dirname(script), 'cli.js')
const load = createRequire(filename)
const faulty = {
  compileSeccomp() {
    throw new TypeError('a fault')
  },
}
const requireOrFail = (name) => (process.env.FAULT && name === './seccomp.js' ? faulty : load(name))
const module_ = { exports: {}, path: dirname(filename) }
runInThisContext(readFileSync(filename, 'utf8'), { filename })(module_.exports, requireOrFail, module_, filename)
module_.exports.compileCall(words, process.env, Number(process.env.BUNDLE_TOOL_HANDOVER)).then(() => {
  process.exitCode = 75
})
