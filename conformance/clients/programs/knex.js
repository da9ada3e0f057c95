// Knex: a schema made, altered and looked at, rows, a transaction, migrations from code.
const knex = require('knex')

const db = knex({ client: 'pg', connection: { database: process.env.PGDATABASE } })
const migrations = {
  getMigrations: async () => ['one', 'two'],
  getMigrationName: (name) => name,
  getMigration: async (name) =>
    name === 'one'
      ? { up: (k) => k.schema.createTable('made', (t) => t.increments()), down: (k) => k.schema.dropTable('made') }
      : { up: (k) => k.schema.alterTable('made', (t) => t.string('label').defaultTo('x')), down: () => null },
}

async function main() {
  await db.schema.createTable('people', (t) => {
    t.increments('id')
    t.string('name', 50).notNullable().unique()
    t.jsonb('data')
    t.timestamps(true, true)
  })
  await db.schema.createTable('pets', (t) => {
    t.uuid('id').primary().defaultTo(db.raw('gen_random_uuid()'))
    t.integer('owner').references('people.id').onDelete('CASCADE').index()
    t.enu('kind', ['cat', 'dog'])
  })
  console.log(await db.schema.hasTable('people'), await db.schema.hasColumn('pets', 'kind'))
  console.log(await db('people').insert([{ name: 'a', data: { n: 1 } }, { name: 'b' }]).returning(['id', 'name']))
  await db('pets').insert({ owner: 1, kind: 'cat' })
  await db.transaction(async (trx) => {
    await trx('people').where({ name: 'b' }).update({ name: 'c' })
    await trx('people').insert({ name: 'c' }).onConflict('name').merge()
  })
  console.log(await db('people').leftJoin('pets', 'owner', 'people.id').select('name', 'kind').orderBy('name'))
  await db('pets').insert({ owner: 9, kind: 'cat' }).catch((error) => console.log(error.code, error.constraint))
  await db('pets').insert({ owner: 1, kind: 'cow' }).catch((error) => console.log(error.code, error.constraint))
  await db.schema.alterTable('people', (t) => {
    t.integer('age').notNullable().defaultTo(3)
    t.renameColumn('name', 'called')
    t.dropColumn('data')
  })
  console.log(await db('people').columnInfo())
  console.log(await db.migrate.latest({ migrationSource: migrations }))
  console.log(await db('made').columnInfo())
  console.log(await db.migrate.rollback({ migrationSource: migrations }, true))
  await db.schema.dropTable('pets')
  await db.schema.dropTable('people')
}

main().then(() => db.destroy(), (error) => { console.log(error.message); db.destroy() })
