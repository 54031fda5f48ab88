import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { forbiddingSwitch } from '../../src/host/user-namespace-switches.ts'

let settings = ''
beforeEach(() => {
  settings = mkdtempSync(join(tmpdir(), 'switches-'))
})
afterEach(() => rmSync(settings, { recursive: true }))

function set(path: string, value: string): void {
  mkdirSync(dirname(join(settings, path)), { recursive: true })
  writeFileSync(join(settings, path), `${value}\n`)
}

test('a kernel without such settings, or that allows all, forbids nothing', () => {
  expect(forbiddingSwitch(false, settings)).toBeUndefined()
  set('user/max_user_namespaces', '95981')
  set('kernel/unprivileged_userns_clone', '1')
  set('kernel/apparmor_restrict_unprivileged_userns', '0')
  expect(forbiddingSwitch(false, settings)).toBeUndefined()
  expect(forbiddingSwitch(true, settings)).toBeUndefined()
})

test.each([
  ['user.max_user_namespaces', '0', '15000'],
  ['kernel.unprivileged_userns_clone', '0', '1'],
])('%s = %s forbids to make one, and has no say in one that was made', (name, value, allows) => {
  set(name.replace('.', '/'), value)
  expect(forbiddingSwitch(false, settings)).toEqual({ name, value, fix: `sudo sysctl -w ${name}=${allows}` })
  expect(forbiddingSwitch(true, settings)).toBeUndefined()
})

test('that of AppArmor, as Ubuntu has it, is also the reason in a namespace that was made', () => {
  const name = 'kernel.apparmor_restrict_unprivileged_userns'
  set(name.replace('.', '/'), '1')
  const found = { name, value: '1', fix: `sudo sysctl -w ${name}=0` }
  expect(forbiddingSwitch(false, settings)).toEqual(found)
  expect(forbiddingSwitch(true, settings)).toEqual(found)
})
