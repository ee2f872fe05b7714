import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CliError } from './problem.ts'
import type { Resources } from './resources.ts'
import { displayKind, resolveResource } from './resources.ts'

const resource = (group: string, kind: string, plural: string, shortNames: readonly string[] = []) => ({
  group,
  version: 'v1alpha1',
  kind,
  plural,
  singular: kind.toLowerCase(),
  namespaced: true,
  shortNames,
  verbs: ['list'],
  subresources: [],
})

const secret = resource('', 'Secret', 'secrets')
const rbacRole = resource('rbac.authorization.k8s.io', 'Role', 'roles')
const pgRole = resource('postgresql.orrery.dev', 'Role', 'roles', ['pgrole'])
const pgDatabase = resource('postgresql.orrery.dev', 'Database', 'databases', ['pgdb'])
const mysqlDatabase = resource('mysql.orrery.dev', 'Database', 'databases')
const grant = resource('postgresql.orrery.dev', 'Grant', 'grants')
const managed = [pgRole, pgDatabase, mysqlDatabase, grant]
const resources: Resources = { all: [secret, rbacRole, ...managed], managed, failures: [] }
const shell = { program: 'orrery' }

for (const { word, want } of [
  { word: 'secrets', want: secret },
  { word: 'Grant', want: grant },
  { word: 'GRANTS', want: grant },
  { word: 'pgdb', want: pgDatabase },
  { word: 'databases.mysql.orrery.dev', want: mysqlDatabase },
  { word: 'database.v1alpha1.postgresql.orrery.dev', want: pgDatabase },
  { word: 'role', want: pgRole },
  { word: 'roles.rbac.authorization.k8s.io', want: rbacRole },
]) {
  test(`the word ${word} means ${want.plural} of ${want.group}`, () =>
    assert.equal(resolveResource(resources, word, shell), want))
}

for (const { word, code } of [
  { word: 'database', code: 'AmbiguousKind' },
  { word: 'frobs', code: 'KindNotServed' },
]) {
  test(`the word ${word} is refused as ${code}, with the next command`, () => {
    assert.throws(
      () => resolveResource(resources, word, shell),
      (error) => error instanceof CliError && error.problem.code === code && error.problem.next !== '',
    )
  })
}

for (const { of, want } of [
  { of: secret, want: 'secret' },
  { of: grant, want: 'grant' },
  { of: pgRole, want: 'role.postgresql.orrery.dev' },
  { of: mysqlDatabase, want: 'database.mysql.orrery.dev' },
]) {
  test(`a kind is shown as ${want}, which is also how it is named on a command line`, () => {
    assert.equal(displayKind(resources, of), want)
    assert.equal(resolveResource(resources, want, shell), of)
  })
}
