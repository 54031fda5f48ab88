// Starting programs and seeing what they take.
import { spawn, spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** Runs a program to its end and gives the seconds it took. What it prints is shown when it fails, and only then. */
export function timed(command, args, options = {}) {
  return withLog((log, fd) => {
    const begin = process.hrtime.bigint()
    const { status, signal, error } = spawnSync(command, args, { ...options, stdio: ['ignore', fd, fd] })
    const seconds = Number(process.hrtime.bigint() - begin) / 1e9
    if (error) throw error
    if (status !== 0) throw failure(command, args, status ?? signal, log)
    return seconds
  })
}

/** Runs a shell script; its words are $1, $2 ... */
export const timedShell = (script, words = [], options = {}) =>
  timed('/bin/sh', ['-e', '-c', script, 'sh', ...words], options)

/** The output of a program. */
export function output(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Runs a program to its end and gives the largest resident memory, in bytes, that it and what it starts ever had. */
export async function peakMemory(command, args) {
  return withLog(async (log, fd) => {
    const child = spawn(command, args, { stdio: ['ignore', fd, fd] })
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)))
    let status
    ended.then((value) => {
      status = value
    })
    const peaks = new Map()
    while (status === undefined) {
      for (const pid of family(child.pid)) peaks.set(pid, statusBytes(pid, 'VmHWM') ?? peaks.get(pid) ?? 0)
      await sleep(10)
    }
    if (status !== 0) throw failure(command, args, status, log)
    return Math.max(...peaks.values())
  })
}

/** The process and all that descend from it. */
export function family(pid) {
  const children = new Map()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const parent = Number(/^PPid:\s*(\d+)/m.exec(readOr(`/proc/${entry}/status`))?.[1])
    children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
  }
  const found = [pid]
  for (const member of found) found.push(...(children.get(member) ?? []))
  return found
}

/** A line of /proc/PID/status that counts kB, in bytes; undefined when the process is gone. */
export function statusBytes(pid, name) {
  const kilobytes = new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(readOr(`/proc/${pid}/status`))?.[1]
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
}

function readOr(path, otherwise = '') {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error.syscall === undefined) throw error
    return otherwise // the process has ended
  }
}

function withLog(action) {
  const directory = mkdtempSync(join(tmpdir(), 'bench-log-'))
  const log = join(directory, 'log')
  const fd = openSync(log, 'w')
  const end = () => {
    closeSync(fd)
    rmSync(directory, { recursive: true })
  }
  let result
  try {
    result = action(log, fd)
  } catch (error) {
    end()
    throw error
  }
  if (result instanceof Promise) return result.finally(end)
  end()
  return result
}

const failure = (command, args, status, log) =>
  new Error(`${command} ${args.join(' ')} ended with ${status}:\n${readFileSync(log, 'utf8').slice(-2000)}`)
