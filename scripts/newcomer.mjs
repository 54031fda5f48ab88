// Does what the README and some pages of docs/ say, word for word, and fails on any stumble: on fresh clones, as root and as an
// ordinary user, in tmux and without a terminal. Needs root, git, tmux, setpriv, setsid, curl and pasta.
//
//   scripts/newcomer                             clones, builds, then every block, four times, each page in a directory of its own
//   scripts/newcomer --built DIR [WHO [WHERE]]   the blocks alone, with a checkout that is built; root or user; tmux or nothing
//
// These are not what they are on a reader's machine:
// - docker.io is a registry of this script on loopback, by ~/.config/containers/registries.conf, whose images are all the one of
//   fixtures/busybox.tar: nothing is fetched from the internet, and a name gets the same image each time.
// - /var/lib/bundle-tool and /run/bundle-tool are the reader's own in a mount namespace: what this machine has there stays as it is.
// - sudo and docker are scripts: the one links into a directory of this script's in place of /usr/local/bin, the other "exports"
//   the root of the image. alpine.tar is the image, too.
// - An ordinary user follows the comment in the block of `spec`, which tells of --rootless. /dev/net/tun is open to all, as udev
//   makes it.
// - Blocks for engines are passed over, since test/e2e/engines-*.test.ts runs them, and so is one that begins with `#!`, and an
//   ordinary user passes over the one of `ip netns`.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startRegistry } from './newcomer-registry.mjs'

const project = fileURLToPath(new URL('..', import.meta.url))
const uid = 54_340
const pages = ['README.md', 'docs/config.md', 'docs/network.md', 'docs/try.md']
const roots = ['/var/lib/bundle-tool', '/run/bundle-tool']
const blockMs = 120_000
/** The time that a program without its terminal may take to say so. */
const refusalMs = 15_000

const { place, close } = makePlace()
try {
  const registry = await startRegistry(project, join(place, 'images'))
  const [, built, onlyWho, onlyWhere] = process.argv.slice(2)
  for (const who of ['root', 'user'].filter((name) => (onlyWho ?? name) === name)) {
    const checkout = built ?? cloneFor(who)
    for (const where of ['tmux', 'nothing'].filter((name) => (onlyWhere ?? name) === name)) {
      const reader = makeReader({ who, where, checkout, registry })
      if (built === undefined && where === 'tmux') await install(reader)
      else linkTool(reader)
      await useEverything(reader)
    }
  }
  registry.close()
  console.log('newcomer: no stumble')
} finally {
  close()
}

function makePlace() {
  const directory = mkdtempSync(join(tmpdir(), 'newcomer-'))
  chmodSync(directory, 0o755)
  return {
    place: directory,
    close() {
      // The state of a user without a runtime directory is there, too.
      for (const path of [directory, `/tmp/bundle-tool-${uid}`]) rmSync(path, { recursive: true, force: true })
    },
  }
}

function cloneFor(who) {
  const clone = join(place, `clone-${who}`)
  execFileSync('git', ['clone', '--quiet', '--no-hardlinks', project, clone], { stdio: 'inherit' })
  if (who === 'user') execFileSync('chown', ['-R', `${uid}:${uid}`, clone])
  return clone
}

/** Somebody with a home, a directory to work in and programs of their own in PATH. */
function makeReader({ who, where, checkout, registry }) {
  const home = join(place, `${who}-${where}`)
  const bin = join(home, 'bin')
  for (const directory of [home, bin, join(home, '.config/containers')]) mkdirSync(directory, { recursive: true })
  for (const directory of roots) mkdirSync(join(home, directory), { recursive: true, mode: 0o700 })
  const mirror = `[[registry]]\nprefix = "docker.io"\nlocation = "${registry.host}"\ninsecure = true\n`
  writeFileSync(join(home, '.config/containers/registries.conf'), mirror)
  writeFileSync(join(bin, 'sudo'), `#!/bin/sh\nexec ln -sf "$3" ${bin}/\n`, { mode: 0o755 })
  writeFileSync(join(bin, 'docker'), `#!/bin/sh\nexec cat ${registry.rootfs}\n`, { mode: 0o755 })
  if (who === 'user') execFileSync('chown', ['-R', `${uid}:${uid}`, home])
  const env = {
    HOME: home,
    PATH: `${bin}:${process.env.PATH}`,
    TERM: 'xterm',
    LANG: 'C.UTF-8',
  }
  return { who, where, checkout, home, work: home, bin, env }
}

/** The same reader in a directory in which what a page takes for granted is there. */
function beginPage(reader, page) {
  const work = join(reader.home, page.replace('/', '-'))
  mkdirSync(join(work, 'node_modules'), { recursive: true })
  cpSync(join(project, 'fixtures/busybox.tar'), join(work, 'alpine.tar'))
  symlinkSync(reader.checkout, join(work, 'node_modules/bundle-tool'))
  if (reader.who === 'user') execFileSync('chown', ['-R', `${uid}:${uid}`, work])
  return { ...reader, work }
}

/** The README's way of it, from the first block that has npm in it. */
async function install(reader) {
  const block = blocksOf(reader.checkout, 'README.md').find(({ text }) => text.includes('npm ci'))
  const builder = { ...reader, work: reader.checkout, env: { ...reader.env, ...npmEnvironment(reader) } }
  expectDone(reader, block.text, await run(builder, block.text))
}

/** Packages come from the cache of who runs this, as far as they are there. */
function npmEnvironment({ who, home }) {
  const own = process.env.npm_config_cache ?? join(process.env.HOME ?? '/', '.npm')
  const cache = who === 'user' ? join(home, 'npm') : own
  if (who === 'user' && existsSync(join(own, '_cacache'))) {
    cpSync(join(own, '_cacache'), join(cache, '_cacache'), { recursive: true })
    execFileSync('chown', ['-R', `${uid}:${uid}`, cache])
  }
  const passed = ['NODE_EXTRA_CA_CERTS', 'npm_config_registry', 'HTTPS_PROXY', 'https_proxy'].flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]]],
  )
  return { npm_config_cache: cache, npm_config_prefer_offline: 'true', ...Object.fromEntries(passed) }
}

function linkTool({ bin, checkout }) {
  symlinkSync(join(checkout, 'bin/bundle-tool'), join(bin, 'bundle-tool'))
}

async function useEverything(reader) {
  for (const page of pages) {
    const there = beginPage(reader, page)
    const blocks = blocksOf(reader.checkout, page)
    if (blocks.length === 0) throw new Error(`${page} has no block`)
    try {
      for (const { language, text, before } of blocks) {
        if (isPassedOver(reader, text)) continue
        if (language === 'js') await useLibrary(there, text)
        else await useBlock(there, text, before)
      }
    } finally {
      await run(there, 'for id in $(bundle-tool list -q); do bundle-tool delete --force $id; done')
    }
  }
}

function isPassedOver({ who }, text) {
  return /npm ci|dockerd|^#!/.test(text) || (who === 'user' && text.includes('ip netns'))
}

/** @returns the blocks of shell and JavaScript of a page, in their order, each with the text from the page's begin to its end */
function blocksOf(checkout, page) {
  const content = readFileSync(join(checkout, page), 'utf8')
  return [...content.matchAll(/^```(sh|js)\n(.*?)^```$/gms)].map(({ index, 0: block, 1: language, 2: text }) => {
    return { language, text, before: content.slice(0, index + block.length) }
  })
}

async function useBlock(reader, words, before) {
  const text = reader.who === 'user' ? words.replace('spec -b', 'spec --rootless -b') : words
  const [, bundle] = /bundle-tool run (?!-d)(?:-b )?(\S+)/.exec(text) ?? []
  const isInteractive = bundle !== undefined && !new RegExp(`--no-tty .*--out ${bundle}\\b`).test(before)
  const outcome = await run(reader, text)
  if (reader.where === 'tmux' || !isInteractive) return expectDone(reader, text, outcome)
  if (outcome.status === 0 || !outcome.output.includes('--no-tty') || outcome.ms > refusalMs) {
    throw stumble(reader, text, outcome, 'it should have failed at once, and told of --no-tty')
  }
  const asTold = text.replace(/(pull|spec) /g, (command) => `${command}--no-tty `).replace(/(--out \w+)/, '$1 --force')
  expectDone(reader, asTold, await run(reader, asTold))
}

/** The sentence below that block says how its bundle is made. */
async function useLibrary(reader, text) {
  writeFileSync(join(reader.work, 'containers.mjs'), text)
  const words = 'bundle-tool pull --no-tty alpine:3.20 --out bundle --force\nnode containers.mjs\n'
  expectDone(reader, words, await run(reader, words))
}

function expectDone(reader, text, outcome) {
  if (outcome.status !== 0) throw stumble(reader, text, outcome, `it ended with ${outcome.status}`)
  console.log(`newcomer: ${reader.who}, ${reader.where}: ${text.trim().split('\n')[0]} ... (${outcome.ms} ms)`)
}

function stumble({ who, where }, text, { output }, why) {
  return new Error(`${who}, with ${where === 'tmux' ? 'a terminal' : 'no terminal'}:\n${text}\n${why}:\n${output}`)
}

/** Runs a block in a shell of the reader's, to its end: its exit code, what was to be seen, and how long it took. */
async function run(reader, text) {
  const script = join(reader.home, 'block.sh')
  const status = join(reader.home, 'status')
  writeFileSync(script, `set -e\ncd ${reader.work}\n${text}`)
  rmSync(status, { force: true })
  const begin = performance.now()
  const output =
    reader.where === 'tmux' ? await runInTmux(reader, script, status) : await runPlain(reader, script, status)
  const ended = existsSync(status) ? Number(readFileSync(status, 'utf8')) : 'no end'
  return { status: ended, output, ms: Math.round(performance.now() - begin) }
}

/** The words that make a command the reader's: root's state and store are out of the way, and a user's devices are as elsewhere. */
function asReader({ who, home }, ...words) {
  if (who === 'user') {
    const device = `[ -e ${home}/tun ] || mknod -m 666 ${home}/tun c 10 200; mount --bind ${home}/tun /dev/net/tun; `
    const user = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...words]
    return ['unshare', '--mount', 'sh', '-c', `${device}exec "$@"`, 'sh', ...user]
  }
  const hide = roots.map((path) => `mkdir -p ${path}; mount --bind ${home}${path} ${path}; `)
  return ['unshare', '--mount', 'sh', '-c', `${hide.join('')}exec "$@"`, 'sh', ...words]
}

function withStatus(script, status) {
  return `sh ${script}; echo $? >${status}.new; mv ${status}.new ${status}`
}

async function runPlain(reader, script, status) {
  const log = join(reader.home, 'log')
  const line = `{ ${withStatus(script, status)}; } >${log} 2>&1 </dev/null`
  const [command, ...words] = asReader(reader, 'setsid', '--wait', 'sh', '-c', line)
  // Not to be waited for in a system call: the registry is in this process.
  const shell = spawn(command, words, { env: reader.env, cwd: reader.work, stdio: 'ignore', timeout: blockMs })
  await once(shell, 'exit')
  return readFileSync(log, 'utf8')
}

/** A shell of a container that asks for a command is told to end. */
async function runInTmux(reader, script, status) {
  const socket = join(mkdtempSync(join(reader.home, 'tmux-')), 'socket') // the server of another may be ending
  if (reader.who === 'user') chownSync(dirname(socket), uid, uid)
  const tmux = (...words) => {
    const [command, ...rest] = asReader(reader, 'tmux', '-S', socket, ...words)
    return spawnSync(command, rest, { env: reader.env, cwd: reader.work, encoding: 'utf8' })
  }
  const line = `${withStatus(script, status)}; sleep 1000`
  const started = tmux('-f', '/dev/null', 'new-session', '-d', '-x', '120', '-y', '40', line)
  if (started.status !== 0) throw new Error(`tmux: ${started.stderr}`)
  let screen = ''
  try {
    for (let waited = 0; !existsSync(status) && waited < blockMs; waited += 200) {
      await sleep(200)
      screen = tmux('capture-pane', '-p', '-S', '-', '-t', '0').stdout
      if (/[#$]$/.test(screen.trimEnd())) tmux('send-keys', '-t', '0', 'exit', 'Enter')
    }
    return tmux('capture-pane', '-p', '-S', '-', '-t', '0').stdout || screen
  } finally {
    tmux('kill-server')
  }
}
