// Drizzle over node-postgres: tables made by its migrator's own SQL file, rows, relations, an upsert.
const fs = require('fs')
const os = require('os')
const path = require('path')
const { Pool } = require('pg')
const { drizzle } = require('drizzle-orm/node-postgres')
const { migrate } = require('drizzle-orm/node-postgres/migrator')
const { eq, sql } = require('drizzle-orm')
const { pgTable, serial, text, integer, timestamp, jsonb } = require('drizzle-orm/pg-core')

const people = pgTable('people', {
  id: serial('id').primaryKey(), name: text('name').notNull().unique(), data: jsonb('data'),
  at: timestamp('at').defaultNow(),
})
const pets = pgTable('pets', { id: integer('id').primaryKey().generatedAlwaysAsIdentity(), owner: integer('owner').references(() => people.id) })
const pool = new Pool()
const db = drizzle(pool)

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'drizzle-'))
  fs.mkdirSync(path.join(folder, 'meta'))
  fs.writeFileSync(path.join(folder, 'meta', '_journal.json'), JSON.stringify({ version: '7', dialect: 'postgresql', entries: [{ idx: 0, version: '7', when: 1, tag: '0000_made', breakpoints: true }] }))
  fs.writeFileSync(path.join(folder, '0000_made.sql'), [
    'CREATE TABLE "people" ("id" serial PRIMARY KEY NOT NULL, "name" text NOT NULL, "data" jsonb, "at" timestamp DEFAULT now(), CONSTRAINT "people_name_unique" UNIQUE("name"));',
    'CREATE TABLE "pets" ("id" integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "pets_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 2147483647 START WITH 1 CACHE 1), "owner" integer);',
    'ALTER TABLE "pets" ADD CONSTRAINT "pets_owner_people_id_fk" FOREIGN KEY ("owner") REFERENCES "public"."people"("id") ON DELETE no action ON UPDATE no action;',
  ].join('\n--> statement-breakpoint\n'))
  await migrate(db, { migrationsFolder: folder })
  await migrate(db, { migrationsFolder: folder })
  console.log(await db.insert(people).values([{ name: 'a', data: { n: 1 } }, { name: 'b' }]).returning({ id: people.id, name: people.name }))
  await db.insert(pets).values({ owner: 1 })
  console.log(await db.select({ name: people.name, pet: pets.id }).from(people).leftJoin(pets, eq(pets.owner, people.id)).orderBy(people.name))
  console.log(await db.insert(people).values({ name: 'a' }).onConflictDoUpdate({ target: people.name, set: { data: { n: 2 } } }).returning({ data: people.data }))
  await db.transaction(async (tx) => { await tx.delete(pets); await tx.update(people).set({ name: sql`upper(${people.name})` }) })
  console.log((await db.select().from(people).orderBy(people.id)).map((p) => p.name))
}

main().then(() => pool.end(), (error) => { console.log(error.message, error.cause && error.cause.message); return pool.end() })
