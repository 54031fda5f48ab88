import { expect, test } from 'vitest'
import type { FilterRule } from '../../../src/compile/cgroup/device-filter.ts'
import { lineOf, rulesForV1, sumOfRules } from '../../../src/compile/cgroup/device-rules-v1.ts'

/** Parses `allow c 1:* rw` to a rule. */
function rule(text: string): FilterRule {
  const [verb, type, numbers = '*:*', access = 'rwm'] = text.split(' ')
  const [major, minor] = numbers.split(':').map((number) => (number === '*' ? undefined : Number(number)))
  return { allow: verb === 'allow', type: type as FilterRule['type'], major, minor, access }
}

const sum = (...rules: readonly string[]) =>
  sumOfRules(rulesForV1(rules.map((text, index) => [rule(text), `/rules/${index}`])))

test.each([
  ['of its devices', ['allow b 7:* rwm', 'deny b 7:0 w']],
  ['of all of its type', ['allow c *:* rwm', 'deny c 1:* r']],
  ['by its minor number', ['allow c *:5 rwm', 'deny c 1:5 r']],
  ['where all is allowed', ['allow a', 'deny c 1:* rwm', 'allow c 1:3 rw']],
])('a rule that takes back part %s is refused, with its pointer', (_, rules) => {
  expect(() => sum(...rules)).toThrow(
    expect.objectContaining({ code: 'ERR_CONFIG_UNSUPPORTED', pointer: `/rules/${rules.length - 1}` }),
  )
})

test.each([
  ['takes back all of it', ['allow b 7:* rwm', 'deny b 7:* w', 'deny b 7:0 w']],
  ['is about other access', ['allow b 7:* r', 'deny b 7:0 w']],
  ['is about another type', ['allow b 7:* rwm', 'deny c 7:0 rwm']],
  ['is wider', ['allow b 7:0 rwm', 'deny b 7:* rwm']],
  ['comes after a new beginning', ['allow b 7:* rwm', 'deny a', 'deny b 7:0 w']],
  ['makes an exception', ['allow a', 'deny b 7:0 w', 'allow b 7:0 w', 'deny b 7:* r']],
])('a rule that %s takes back no part of a wider one, and is accepted', (_, rules) => {
  expect(() => sum(...rules)).not.toThrow()
})

test('a rule for some devices of both types, or for some access, does not become one for all devices', () => {
  const lines = (text: string) => rulesForV1([[rule(text), '']]).map(([each]) => lineOf(each))
  expect(lines('allow a *:* rwm')).toEqual(['a'])
  expect(lines('allow a *:* mrw')).toEqual(['a'])
  expect(lines('allow a 10:229 rwm')).toEqual(['b 10:229 rwm', 'c 10:229 rwm'])
  expect(lines('allow a *:* r')).toEqual(['b *:* r', 'c *:* r'])
  expect(lines('allow c 1:3 rw')).toEqual(['c 1:3 rw'])
})

test('access that is taken back is no longer allowed', () => {
  const { allowsByDefault, exceptions } = sum('allow c 1:5 rwm', 'deny c 1:5 w', 'allow b 8:0 r', 'deny b 8:0 r')
  expect(allowsByDefault).toBe(false)
  expect(exceptions).toEqual([
    [{ type: 'c', major: 1, minor: 5 }, 'rm'],
    [{ type: 'b', major: 8, minor: 0 }, ''],
  ])
})
