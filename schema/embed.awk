# Turns the SQL files named on the command line into schema_files[] (embedded.h).

function fail(what) {
	print FILENAME ":" FNR ": " what | "cat 1>&2"
	failed = 1
	exit 1
}

BEGIN {
	print "/* Made by schema/embed.awk. */"
	print "#include \"embedded.h\"\n"
	print "const struct schema_file schema_files[] = {"
}

FNR == 1 {
	if (n++)
		print "\t},"
	name = FILENAME
	sub(/^.*schema\//, "", name)
	if (!sub(/\.sql$/, "", name))
		fail("not named *.sql")
	print "\t{\n\t\t\"" name "\","
}

{
	if ($0 ~ /[\001-\010\013-\037\177]/)
		fail("control character")
	gsub(/\\/, "&&")
	gsub(/"/, "\\\"")
	gsub(/\t/, "\\t")
	gsub(/\?/, "\\?")       # no trigraphs
	print "\t\t\"" $0 "\\n\""
}

END {
	if (failed)
		exit 1
	if (n)
		print "\t},"
	print "\t{ 0, 0 }\n};"
	print "\nconst unsigned schema_files_n = " n + 0 ";"
}
