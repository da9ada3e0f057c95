// Prisma's client over its adapter for pg. Its migrations need an engine that npm has not, so the definitions
// are those that `prisma migrate` writes, by hand; the client is generated here.
const { execFileSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const SCHEMA = `
generator client {
  provider = "prisma-client-js"
}
datasource db {
  provider = "postgresql"
}
enum Mood {
  HAPPY
  SAD
}
model Author {
  id      Int      @id @default(autoincrement())
  email   String   @unique
  name    String?
  mood    Mood     @default(HAPPY)
  tags    String[]
  posts   Post[]
}
model Post {
  id        BigInt   @id @default(autoincrement())
  title     String
  body      Json?
  price     Decimal  @default(0) @db.Decimal(10, 2)
  seen      Float?
  picture   Bytes?
  published Boolean  @default(false)
  createdAt DateTime @default(now())
  author    Author   @relation(fields: [authorId], references: [id])
  authorId  Int
  topics    Topic[]
  @@index([authorId, createdAt])
}
model Topic {
  name  String @id
  posts Post[]
}
`
const DEFINITIONS = [
  'CREATE TYPE "Mood" AS ENUM (\'HAPPY\', \'SAD\')',
  'CREATE TABLE "Author" ("id" SERIAL NOT NULL, "email" TEXT NOT NULL, "name" TEXT, "mood" "Mood" NOT NULL DEFAULT \'HAPPY\',' +
    ' "tags" TEXT[], CONSTRAINT "Author_pkey" PRIMARY KEY ("id"))',
  'CREATE TABLE "Post" ("id" BIGSERIAL NOT NULL, "title" TEXT NOT NULL, "body" JSONB, "price" DECIMAL(10,2) NOT NULL DEFAULT 0,' +
    ' "seen" DOUBLE PRECISION, "picture" BYTEA, "published" BOOLEAN NOT NULL DEFAULT false,' +
    ' "createdAt" TIMESTAMP(3) NOT NULL DEFAULT CURRENT_TIMESTAMP, "authorId" INTEGER NOT NULL,' +
    ' CONSTRAINT "Post_pkey" PRIMARY KEY ("id"))',
  'CREATE TABLE "Topic" ("name" TEXT NOT NULL, CONSTRAINT "Topic_pkey" PRIMARY KEY ("name"))',
  'CREATE TABLE "_PostToTopic" ("A" BIGINT NOT NULL, "B" TEXT NOT NULL, CONSTRAINT "_PostToTopic_AB_pkey" PRIMARY KEY ("A","B"))',
  'CREATE UNIQUE INDEX "Author_email_key" ON "Author"("email")',
  'CREATE INDEX "Post_authorId_createdAt_idx" ON "Post"("authorId", "createdAt")',
  'CREATE INDEX "_PostToTopic_B_index" ON "_PostToTopic"("B")',
  'ALTER TABLE "Post" ADD CONSTRAINT "Post_authorId_fkey" FOREIGN KEY ("authorId") REFERENCES "Author"("id")' +
    ' ON DELETE RESTRICT ON UPDATE CASCADE',
  'ALTER TABLE "_PostToTopic" ADD CONSTRAINT "_PostToTopic_A_fkey" FOREIGN KEY ("A") REFERENCES "Post"("id")' +
    ' ON DELETE CASCADE ON UPDATE CASCADE',
  'ALTER TABLE "_PostToTopic" ADD CONSTRAINT "_PostToTopic_B_fkey" FOREIGN KEY ("B") REFERENCES "Topic"("name")' +
    ' ON DELETE CASCADE ON UPDATE CASCADE',
]
const AT = new Date('2024-02-29T12:34:56.789Z')

function client() {
  fs.writeFileSync(path.join(__dirname, 'schema.prisma'), SCHEMA)
  fs.writeFileSync(path.join(__dirname, 'prisma.config.ts'), "export default { schema: 'schema.prisma' }\n")
  // Only migrations would run this engine.
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true' }
  execFileSync('npx', ['prisma', 'generate'], { cwd: __dirname, env, stdio: 'pipe' })
  const { PrismaClient } = require('@prisma/client')
  const { PrismaPg } = require('@prisma/adapter-pg')
  return new PrismaClient({ adapter: new PrismaPg({}) })
}

function show(name, value) {
  const plain = (_, part) => (typeof part === 'bigint' ? `${part}n` : part)
  console.log(name, JSON.stringify(value, plain))
}

async function refused(name, made) {
  try {
    await made
    console.log(name, 'is taken')
  } catch (error) {
    console.log(name, error.code, JSON.stringify(error.meta?.target ?? null))
  }
}

async function write(db) {
  const ada = await db.author.create({
    data: {
      email: 'ada@example.org', name: 'Ada', tags: ['a', 'b'],
      posts: {
        create: [
          { title: 'first', body: { likes: [1, 2], by: 'Ada' }, price: '12.50', createdAt: AT, topics: { create: [{ name: 'engines' }] } },
          { title: 'second', seen: 1.5, picture: Buffer.from('abc'), createdAt: AT, published: true },
        ],
      },
    },
    include: { posts: { include: { topics: true }, orderBy: { id: 'asc' } } },
  })
  show('nested create', ada)
  show('createMany', await db.author.createMany({ data: [{ email: 'b@example.org' }, { email: 'c@example.org', mood: 'SAD' }], skipDuplicates: true }))
  show('again', await db.author.createMany({ data: [{ email: 'b@example.org' }], skipDuplicates: true }))
  show('and return', await db.author.createManyAndReturn({ data: [{ email: 'd@example.org', tags: ['x'] }], select: { id: true, tags: true } }))
  for (const name of ['Bea', 'Beate']) {
    show('upsert', await db.author.upsert({ where: { email: 'b@example.org' }, update: { name }, create: { email: 'b@example.org', name: 'new' } }))
  }
  show('update', await db.post.update({ where: { id: 1n }, data: { price: { increment: 1 }, topics: { connectOrCreate: { where: { name: 'notes' }, create: { name: 'notes' } } } }, include: { topics: { orderBy: { name: 'asc' } } } }))
  show('updateMany', await db.post.updateMany({ where: { published: false }, data: { published: true } }))
  await refused('unique', db.author.create({ data: { email: 'ada@example.org' } }))
  await refused('foreign key', db.post.create({ data: { title: 'nobody', authorId: 999 } }))
  await refused('restrict', db.author.delete({ where: { id: ada.id } }))
  await refused('not found', db.author.update({ where: { id: 999 }, data: { name: 'x' } }))
}

async function read(db) {
  show('filters', await db.author.findMany({ where: { OR: [{ email: { contains: 'ADA', mode: 'insensitive' } }, { mood: 'SAD' }, { tags: { has: 'x' } }] }, orderBy: { id: 'asc' } }))
  show('json', await db.post.findMany({ where: { body: { path: ['by'], equals: 'Ada' } }, select: { title: true, body: true } }))
  show('relations', await db.author.findMany({ where: { posts: { some: { topics: { some: { name: 'notes' } } } } }, select: { email: true, _count: { select: { posts: true } } } }))
  show('page', await db.post.findMany({ cursor: { id: 1n }, skip: 1, take: 1, orderBy: { id: 'asc' }, select: { id: true, picture: true, seen: true } }))
  show('aggregate', await db.post.aggregate({ _count: true, _sum: { price: true }, _avg: { seen: true }, _max: { createdAt: true } }))
  show('groupBy', await db.post.groupBy({ by: ['authorId'], _count: { _all: true }, having: { price: { _avg: { gt: 1 } } }, orderBy: { authorId: 'asc' } }))
  show('distinct', await db.author.findMany({ distinct: ['mood'], orderBy: [{ mood: 'asc' }, { id: 'asc' }], select: { mood: true } }))
  show('raw', await db.$queryRaw`SELECT a."email", count(p."id") AS n FROM "Author" a LEFT JOIN "Post" p ON p."authorId" = a."id" WHERE a."id" < ${10} GROUP BY 1 ORDER BY 1`)
}

async function together(db) {
  show('array', await db.$transaction([db.author.count(), db.topic.create({ data: { name: 'third' } }), db.topic.count()]))
  await refused('rolled back', db.$transaction(async (tx) => {
    await tx.topic.create({ data: { name: 'fourth' } })
    await tx.topic.create({ data: { name: 'fourth' } })
  }))
  show('left', await db.topic.findMany({ orderBy: { name: 'asc' } }))
  show('serializable', await db.$transaction((tx) => tx.post.count(), { isolationLevel: 'Serializable' }))
  show('deleted', await db.post.deleteMany({ where: { author: { email: 'ada@example.org' } } }))
  show('gone', await db.author.delete({ where: { email: 'ada@example.org' } }))
}

async function main() {
  const db = client()
  for (const text of DEFINITIONS) await db.$executeRawUnsafe(text)
  await write(db)
  await read(db)
  await together(db)
  await db.$disconnect()
}

main()
