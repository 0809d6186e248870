# A copy of LIBRARY in FOLDER for every fault of TABLE. Copies, not links: a library is loaded once per file, whatever it is called.
file(READ ${TABLE} table)
string(JSON count LENGTH ${table})
math(EXPR last "${count} - 1")
foreach(row RANGE ${last})
  string(JSON id GET ${table} ${row} id)
  string(JSON storage GET ${table} ${row} storage)
  file(COPY_FILE ${LIBRARY} ${FOLDER}/faulty.${id}.${storage}.so)
endforeach()
