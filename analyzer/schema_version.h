/* schema_version.h - the version of the tables and views in schema/; PRAGMA user_version has it. */
#ifndef FANALYZE_SCHEMA_VERSION_H
#define FANALYZE_SCHEMA_VERSION_H

#define SCHEMA_VERSION	      1
#define SCHEMA_APPLICATION_ID 0x46525a31 /* "FRZ1", PRAGMA application_id */

#endif
