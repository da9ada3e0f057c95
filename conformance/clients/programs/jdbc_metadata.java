// What java.sql.DatabaseMetaData tells of a small schema: for each method its columns and rows.
import java.sql.*;
import java.util.*;

class JdbcMetadata {
    interface Ask { ResultSet of(DatabaseMetaData about) throws SQLException; }

    static final String S = "shop";
    static int told = 0, failed = 0;

    static void tell(DatabaseMetaData about, String name, Ask ask, boolean rows) {
        try (ResultSet found = ask.of(about)) {
            ResultSetMetaData shape = found.getMetaData();
            StringBuilder line = new StringBuilder(name).append(": ");
            for (int i = 1; i <= shape.getColumnCount(); i++)
                line.append(shape.getColumnLabel(i)).append(' ').append(shape.getColumnTypeName(i)).append(", ");
            List<String> lines = new ArrayList<>();
            while (found.next()) {
                StringBuilder row = new StringBuilder("   ");
                for (int i = 1; i <= shape.getColumnCount(); i++) {
                    String label = shape.getColumnLabel(i).toUpperCase();
                    boolean own = label.endsWith("_CAT") || label.equals("TABLE_CATALOG") || label.equals("GRANTEE")
                        || label.equals("GRANTOR") || label.equals("PAGES") || label.equals("SPECIFIC_NAME");
                    row.append(own ? "." : found.getString(i)).append(" | ");
                }
                lines.add(row.toString());
            }
            System.out.println(line);
            if (rows) lines.forEach(System.out::println);
        } catch (SQLException error) {
            failed++;
            System.out.println(name + ": " + error.getSQLState() + " " + error.getMessage());
        }
        told++;
    }

    public static void main(String[] arguments) throws SQLException {
        Map<String, String> env = System.getenv();
        String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE");
        try (Connection link = DriverManager.getConnection(url, env.get("PGUSER"), env.get("PGPASSWORD"))) {
            try (Statement make = link.createStatement()) {
                make.execute("CREATE SCHEMA shop");
                make.execute("CREATE TYPE shop.state AS ENUM ('on', 'off')");
                make.execute("CREATE DOMAIN shop.percent AS int CHECK (VALUE BETWEEN 0 AND 100)");
                make.execute("CREATE TABLE shop.people (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(50) NOT NULL UNIQUE, at timestamptz DEFAULT now(), state shop.state, share shop.percent, price numeric(10,2), tags text[])");
                make.execute("CREATE TABLE shop.pets (id serial, owner int REFERENCES shop.people (id) ON DELETE CASCADE, kind text, PRIMARY KEY (id, kind))");
                make.execute("CREATE INDEX pets_by_kind ON shop.pets (kind, owner DESC)");
                make.execute("CREATE VIEW shop.names AS SELECT name FROM shop.people");
                make.execute("COMMENT ON TABLE shop.people IS 'who'");
                make.execute("COMMENT ON COLUMN shop.people.name IS 'called'");
            }
            DatabaseMetaData about = link.getMetaData();
            System.out.println(about.getDatabaseProductName() + " " + about.getDatabaseMajorVersion() + " " + about.getMaxColumnNameLength() + " " + about.getDefaultTransactionIsolation());
            System.out.println(about.getSQLKeywords().length() > 0 ? "keywords" : "no keywords");
            System.out.println(about.supportsStoredFunctionsUsingCallSyntax() + " " + about.getIdentifierQuoteString());
            tell(about, "getTables", m -> m.getTables(null, S, "%", null), true);
            tell(about, "getTables of a type", m -> m.getTables(null, S, "p%", new String[] {"TABLE", "VIEW"}), true);
            tell(about, "getColumns", m -> m.getColumns(null, S, "%", "%"), true);
            tell(about, "getPrimaryKeys", m -> m.getPrimaryKeys(null, S, "pets"), true);
            tell(about, "getPrimaryUniqueKeys", m -> m.getBestRowIdentifier(null, S, "people", 1, true), true);
            tell(about, "getImportedKeys", m -> m.getImportedKeys(null, S, "pets"), true);
            tell(about, "getExportedKeys", m -> m.getExportedKeys(null, S, "people"), true);
            tell(about, "getCrossReference", m -> m.getCrossReference(null, S, "people", null, S, "pets"), true);
            tell(about, "getIndexInfo", m -> m.getIndexInfo(null, S, "pets", false, false), true);
            tell(about, "getIndexInfo unique", m -> m.getIndexInfo(null, S, "people", true, false), true);
            tell(about, "getSchemas", m -> m.getSchemas(null, S), true);
            tell(about, "getAllSchemas", DatabaseMetaData::getSchemas, false);
            tell(about, "getCatalogs", DatabaseMetaData::getCatalogs, false);
            tell(about, "getTableTypes", DatabaseMetaData::getTableTypes, true);
            tell(about, "getTypeInfo", DatabaseMetaData::getTypeInfo, false);
            tell(about, "getUDTs", m -> m.getUDTs(null, S, "%", null), true);
            tell(about, "getColumnPrivileges", m -> m.getColumnPrivileges(null, S, "pets", "%"), false);
            tell(about, "getTablePrivileges", m -> m.getTablePrivileges(null, S, "%"), false);
            tell(about, "getVersionColumns", m -> m.getVersionColumns(null, S, "people"), true);
            tell(about, "getProcedures", m -> m.getProcedures(null, S, "%"), true);
            tell(about, "getProcedureColumns", m -> m.getProcedureColumns(null, S, "%", "%"), true);
            tell(about, "getFunctions", m -> m.getFunctions(null, S, "%"), true);
            tell(about, "getFunctionColumns", m -> m.getFunctionColumns(null, S, "%", "%"), true);
            tell(about, "getClientInfoProperties", DatabaseMetaData::getClientInfoProperties, true);
            try (PreparedStatement asked = link.prepareStatement("SELECT id, name, price, tags FROM shop.people WHERE name = ? AND share > ?")) {
                ResultSetMetaData shape = asked.getMetaData();
                for (int i = 1; i <= shape.getColumnCount(); i++)
                    System.out.println(shape.getColumnName(i) + " " + shape.getColumnTypeName(i) + " " + shape.getTableName(i) + " " + shape.getSchemaName(i) + " " + shape.isNullable(i) + " " + shape.isAutoIncrement(i) + " " + shape.getPrecision(i));
                ParameterMetaData given = asked.getParameterMetaData();
                for (int i = 1; i <= given.getParameterCount(); i++)
                    System.out.println(given.getParameterTypeName(i) + " " + given.getParameterClassName(i));
            }
            System.out.println(told + " told, " + failed + " failed");
        }
    }
}
