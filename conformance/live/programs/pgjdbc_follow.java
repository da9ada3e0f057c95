// A table in a map, by pgjdbc.

import java.sql.*;
import java.util.*;
import java.util.function.Consumer;

class Follow {
    /** Keep the rows of `table` by key, as long as the program runs; `show` them as they change. */
    static void follow(String url, String table, Consumer<Map<String, Object[]>> show) throws Exception {
        Map<String, Object[]> rows = new HashMap<>();
        String token = null;
        while (true) {
            try (Connection connection = DriverManager.getConnection(url);
                    Statement statement = connection.createStatement()) {
                connection.setAutoCommit(false); // without it, and a fetch size,
                statement.setFetchSize(100); //     the driver waits for the last row, which never comes
                String from = token == null ? "" : ", from_seq = '" + token + "'";
                if (token == null) rows.clear();
                ResultSet changes = statement.executeQuery(
                    "SUBSCRIBE TO " + table + " OPTIONS (stream = true" + from + ")");
                int columns = changes.getMetaData().getColumnCount();
                while (changes.next()) { // waits for as long as nothing changes
                    Object[] row = new Object[columns - 3];
                    for (int i = 0; i < row.length; i++) row[i] = changes.getObject(i + 4);
                    String key = String.valueOf(row[0]); // the primary key comes first in this table
                    String op = changes.getString("_op");
                    if (op.equals("truncate")) rows.clear();
                    else if (op.equals("delete")) rows.remove(key);
                    else rows.put(key, row);
                    String position = changes.getString("_token");
                    if (position != null) token = position; // of a snapshot only the last row has one
                    if (token != null) show.accept(rows);
                }
            } catch (SQLException error) {
                if ("72000".equals(error.getSQLState())) token = null; // too long away: a snapshot
                Thread.sleep(50); // the link or the server was lost: go on from the token
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> pg = System.getenv();
        String url = String.format("jdbc:postgresql://%s:%s/%s?user=%s&password=%s", pg.get("PGHOST"),
            pg.get("PGPORT"), pg.get("PGDATABASE"), pg.get("PGUSER"), pg.get("PGPASSWORD").replace(" ", "%20"));
        follow(url, arguments[0], Follow::show);
    }

    // For the runner: the end is a row 0.
    static void show(Map<String, Object[]> rows) {
        if (!rows.containsKey("0")) return;
        StringJoiner all = new StringJoiner(", ", "{", "}");
        rows.forEach((key, row) -> all.add(String.format(
            "\"%s\": {\"id\": %s, \"room\": %s, \"body\": %s}", key, row[0], row[1], quote((String) row[2]))));
        System.out.println(all);
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    static String quote(String text) {
        if (text == null) return "null";
        StringBuilder made = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\' || c < ' ' || c > '~') made.append(String.format("\\u%04x", (int) c));
            else made.append(c);
        }
        return made.append('"').toString();
    }
}
