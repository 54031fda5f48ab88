import { createConnection } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Message } from '../../src/dbus/message.ts'
import { variant } from '../../src/dbus/signature.ts'
import { busPath, readManager, setUnitProperties, startUnit, stopUnit, withSystemd } from '../../src/runtime/systemd.ts'
import { type Answer, FakeBus } from '../dbus/fake-bus.ts'

function closing(bus: FakeBus): FakeBus {
  onTestFinished(() => bus.close())
  return bus
}

const systemdError = (text: string) =>
  expect.objectContaining({ code: 'ERR_SYSTEMD', message: expect.stringContaining(text) })

/** A timeout for a bus that does not answer, short enough to wait for. */
const read = (bus: FakeBus, timeoutMs = 20_000) => withSystemd('system', readManager, { env: bus.env, timeoutMs })

test('the error for a missing bus names the bus and has a hint', async () => {
  const env = { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/nonexistent/bus' }
  await expect(withSystemd('system', readManager, { env })).rejects.toMatchObject({
    code: 'ERR_SYSTEMD',
    message: expect.stringMatching(/"\/nonexistent\/bus".*ENOENT/),
    hint: expect.stringContaining('leave out --systemd-cgroup'),
  })
})

test('a bus that does not answer is given up, before and after authentication', async () => {
  const mute = closing(await FakeBus.raw(() => {}))
  await expect(read(mute, 50)).rejects.toEqual(systemdError(`"${mute.path}" within 0.05 s`))
  const deaf = closing(await FakeBus.answering(() => undefined))
  await expect(read(deaf, 200)).rejects.toEqual(systemdError(`"${deaf.path}" within 0.2 s`))
  expect(deaf.calls.map(({ member }) => member)).toEqual(['Hello', 'Get'])
})

test('a bus that refuses, hangs up or talks nonsense is an error at once', async () => {
  const refusing = await FakeBus.raw((socket) => socket.write('REJECTED EXTERNAL\r\n'))
  await expect(read(closing(refusing))).rejects.toEqual(systemdError('it refuses the caller'))
  const closed = await FakeBus.raw((socket) => socket.end())
  await expect(read(closing(closed))).rejects.toEqual(systemdError('cannot be used'))
  const mad = await FakeBus.raw((socket) => {
    socket.write('DATA\r\nOK 1\r\n')
    socket.on('data', (chunk) => (chunk.includes('BEGIN') ? socket.write(Buffer.alloc(64, 0xff)) : undefined))
  })
  await expect(read(closing(mad))).rejects.toEqual(systemdError('it sends an invalid message'))
})

const property = (call: Message): string => String(call.body[1])

test('the version and the cgroup of the manager are read', async () => {
  const values: Readonly<Record<string, string>> = { Version: '252.39-1~deb12u1', ControlGroup: '' }
  const bus = await FakeBus.answering((call) => ({
    signature: 'v',
    body: [variant('s', values[property(call)] ?? '')],
  }))
  expect(await read(closing(bus))).toEqual({ version: 252, cgroup: '/' })
})

const job = '/org/freedesktop/systemd1/job/7'
const removed = (result: string) => ({
  member: 'JobRemoved',
  signature: 'uoss',
  body: [7, job, 'x.scope', result],
})
const errorNamed = (name: string): Answer => ({
  error: `org.freedesktop.systemd1.${name}`,
  signature: 's',
  body: [`Unit x.scope: ${name}`],
})
const jobOf = (result: string): Answer => ({ signature: 'o', body: [job], signals: [removed(result)] })

/** A systemd that answers each method with the next reply of its list, and other methods with success. */
const systemd = async (answers: Readonly<Record<string, readonly Answer[]>>): Promise<FakeBus> => {
  const left = Object.fromEntries(Object.entries(answers).map(([member, list]) => [member, [...list]]))
  return closing(await FakeBus.answering(({ member }) => left[member]?.shift() ?? {}))
}
const start = (bus: FakeBus) =>
  withSystemd(
    'system',
    (connection) => startUnit(connection, 'x.scope', [['TasksMax', 't', '18446744073709551615']], 99),
    {
      env: bus.env,
    },
  )

test('a unit is started with its properties and its process, and its job is awaited', async () => {
  const bus = await systemd({ StartTransientUnit: [jobOf('done')] })
  await start(bus)
  expect(bus.calls.map(({ member }) => member)).toEqual(['Hello', 'AddMatch', 'Subscribe', 'StartTransientUnit'])
  expect(bus.calls.at(-1)?.body).toEqual([
    'x.scope',
    'replace',
    [
      ['TasksMax', variant('t', 2n ** 64n - 1n)],
      ['PIDs', variant('au', [99])],
    ],
    [],
  ])
})

test('a failed unit is reset; an active one is an error', async () => {
  const cleared = await systemd({ StartTransientUnit: [errorNamed('UnitExists'), jobOf('done')] })
  await start(cleared)
  expect(cleared.calls.map(({ member }) => member).slice(3)).toEqual([
    'StartTransientUnit',
    'ResetFailedUnit',
    'StartTransientUnit',
  ])
  const taken = await systemd({ StartTransientUnit: [errorNamed('UnitExists'), errorNamed('UnitExists')] })
  await expect(start(taken)).rejects.toEqual(systemdError('cannot start "x.scope": Unit x.scope: UnitExists'))
  const unlucky = await systemd({ StartTransientUnit: [jobOf('failed')] })
  await expect(start(unlucky)).rejects.toEqual(systemdError('the job for "x.scope" ended as "failed"'))
})

test('stopping or changing a unit that does not exist is no error', async () => {
  const bus = await systemd({
    StopUnit: [errorNamed('NoSuchUnit')],
    ResetFailedUnit: [errorNamed('NoSuchUnit')],
    SetUnitProperties: [errorNamed('NoSuchUnit')],
  })
  await withSystemd('system', (connection) => stopUnit(connection, 'x.scope'), { env: bus.env })
  await withSystemd('system', (connection) => setUnitProperties(connection, 'x.scope', []), { env: bus.env })
  const denied = await systemd({ StopUnit: [errorNamed('AccessDenied')] })
  const stop = withSystemd('system', (connection) => stopUnit(connection, 'x.scope'), { env: denied.env })
  await expect(stop).rejects.toEqual(systemdError('AccessDenied'))
})

test('losing the connection while a job is awaited is an error', async () => {
  const bus = closing(
    await FakeBus.answering(({ member }) => {
      if (member === 'StartTransientUnit') setImmediate(() => bus.close())
      return member === 'StartTransientUnit' ? { signature: 'o', body: [job] } : {}
    }),
  )
  await expect(start(bus)).rejects.toEqual(systemdError('it has closed the connection'))
  await expect(new Promise((_, reject) => createConnection(bus.path).on('error', reject))).rejects.toThrow()
})

test.each([
  ['system', {}, '/run/dbus/system_bus_socket'],
  ['system', { DBUS_SYSTEM_BUS_ADDRESS: 'tcp:host=x;unix:path=/a%20b,guid=1' }, '/a b'],
  ['user', { XDG_RUNTIME_DIR: '/run/user/7' }, '/run/user/7/bus'],
  ['user', { XDG_RUNTIME_DIR: '/run/user/7', DBUS_SESSION_BUS_ADDRESS: 'unix:path=/x' }, '/x'],
] as const)('the bus of the %s with %j is %s', (kind, env, path) => expect(busPath(kind, env)).toBe(path))

test('without a runtime directory a user has no bus', () => {
  expect(() => busPath('user', {})).toThrow(systemdError('XDG_RUNTIME_DIR is not set'))
})
